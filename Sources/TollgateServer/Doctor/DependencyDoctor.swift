import AsyncHTTPClient
import ClerkAuth
import ConnectionFailures
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import OutboundCalls
import RedisClient
import SMTPClient
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

/// Looks at every service but Redis that a worker deals with: Clerk, Stripe, upstreams, and at certificates.
struct DependencyDoctor: Sendable {
    /// An operator waits.
    private static let timeLimits = CallTimeLimits(call: .seconds(6), attempt: .seconds(5))

    /// Upstreams that are asked, all at once.
    private static let maximumUpstreams = 64

    private static let mailTimeLimit: TimeAmount = .seconds(6)

    let configuration: GatewayConfiguration

    /// The machine's clock.
    let time: any TimeSource
    let httpClient: HTTPClient
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    // MARK: Clerk

    func clerk() async -> [Finding] {
        async let signingKeys = signingKeys()
        async let secretKey = clerkSecretKey()
        async let ahead = aheadOfClerk()
        let live = configuration.clerk.secretKey.map { $0.revealed.hasPrefix("sk_live_") }
        return await ClerkFacts(
            signingKeys: signingKeys, secretKey: secretKey, aheadSeconds: ahead,
            isLive: live ?? configuration.clerk.publishableKey?.key.isLive, stripeIsLive: stripeClient?.isLive
        ).findings
    }

    private func signingKeys() async -> ClerkFacts.SigningKeys {
        guard case .jwks(let url, let secret) = configuration.clerk.configuration.keySource else { return .given }
        switch await keyNames(at: url, secret: secret) {
        case .success(let names): return .loaded(from: url, names: names)
        case .failure(let failure): return .unavailable(from: url, reason: failure.reason)
        }
    }

    /// Whether the Backend API takes the secret key, by asking it for its key set.
    private func clerkSecretKey() async -> ClerkFacts.SecretKey {
        guard let secret = configuration.clerk.secretKey else { return .notConfigured }
        switch await keyNames(at: configuration.clerk.apiURL + "/v1/jwks", secret: secret.revealed) {
        case .success(let names): return .taken(keyNames: names)
        case .failure(let failure):
            let isRefused = ["401", "403"].contains { failure.reason.hasSuffix("status is \($0)") }
            return isRefused ? .refused : .unavailable(reason: failure.reason)
        }
    }

    private func keyNames(at url: String, secret: String?) async -> Result<[String], PortProbe.Failure> {
        let endpoint = KeySetEndpoint(url: url, bearerSecret: secret, httpClient: httpClient)
        do {
            return .success(try await endpoint.load().keys.sorted())
        } catch {
            return .failure(PortProbe.Failure(reason: error.description))
        }
    }

    private func aheadOfClerk() async -> Int64? {
        let url: String
        switch configuration.clerk.configuration.keySource {
        case .jwks(let place, _): url = place
        case .pem where configuration.clerk.secretKey != nil: url = configuration.clerk.apiURL
        case .pem: return nil
        }
        // Its status is of no interest, and neither is its body.
        let request = HTTPClientRequest(url: url)
        guard let response = try? await httpClient.execute(request, timeout: .seconds(5)),
            let moment = response.headers.first(name: "date").flatMap(HTTPDate.moment)
        else { return nil }
        return time.now().seconds - moment.seconds
    }

    // MARK: Stripe

    func stripe() async -> [Finding] {
        guard let client = stripeClient else {
            return [.skipped(.stripe, "secret-key", "not configured")]
        }
        let prices = configuration.stripe.prices
        async let key = outcome { () throws(CallError) in try await client.checkKey() }
        // A mistyped further price is seen only when a customer has paid it and has no plan.
        let offered = prices.plans.flatMap { plan in prices.prices(ofPlan: plan).map { (plan, $0) } }
        async let sales = each(of: offered) { plan, id in
            StripeFacts.Sale(
                plan: plan, priceID: id, shown: configuration.shownPrices[plan],
                price: await outcome { () throws(CallError) in try await client.price(id: id) })
        }
        var registrations: Result<[StripeWebhookRegistration], CallError>?
        if !configuration.stripe.webhookSecrets.isEmpty {
            registrations = await outcome { () throws(CallError) in try await client.webhookRegistrations() }
        }
        async let events = outcome { () throws(CallError) in try await client.checkEvents() }
        return await StripeFacts(
            key: key, sales: sales, registrations: registrations, neededEvents: configuration.stripe.neededEvents,
            events: events
        ).findings
    }

    private var stripeClient: StripeClient? {
        configuration.stripe.secretKey.map { key in
            StripeClient(
                secretKey: key.revealed, apiURL: configuration.stripe.apiURL, httpClient: httpClient, logger: logger,
                timeLimits: Self.timeLimits)
        }
    }

    private func outcome<Value>(
        _ question: () async throws(CallError) -> Value
    ) async -> Result<Value, CallError> {
        do throws(CallError) { return .success(try await question()) } catch { return .failure(error) }
    }

    // MARK: Alerts

    /// Whether the mail server takes mail: all that comes before one is done, and none is sent. Webhooks are not tried, for
    /// each would be a message. None where no mail is sent.
    func alerts() async -> [Finding] {
        guard let alerts = configuration.alerts, let mail = alerts.mail else { return [] }
        let place = mail.server.place
        do {
            let receiver = try MailReceiver(
                settings: mail, allowsPrivateNetworks: alerts.allowsPrivateNetworks, timeLimit: Self.mailTimeLimit,
                eventLoopGroup: eventLoopGroup, outage: ServiceOutage(logger: logger))
            guard let error = await receiver.check() else {
                let login = mail.server.login == nil ? "" : ", and our login"
                return [.ok(.alerts, "mail", "\(place) takes mail\(login)")]
            }
            return [
                .fail(
                    .alerts, "mail", error.message,
                    remedy: "Correct TOLLGATE_ALERT_SMTP_URL, or the server; alerts are sent again for a day.")
            ]
        } catch {
            return [
                .fail(
                    .alerts, "mail", ConnectionFailure(error).description,
                    remedy: "See whether this machine has certificates of authorities (ca-certificates).")
            ]
        }
    }

    // MARK: Upstreams and certificates

    func upstreams() async -> [Finding] {
        var upstreams: [Route.Upstream] = []
        for upstream in configuration.routes.routes.flatMap(\.upstreams)
        where !upstreams.contains(where: { $0.origin == upstream.origin }) { upstreams.append(upstream) }
        guard !upstreams.isEmpty else { return [.skipped(.upstreams, "upstream", "not configured")] }
        return await each(of: Array(upstreams.prefix(Self.maximumUpstreams))) { await findings(of: $0) }.flatMap(\.self)
    }

    private func findings(of upstream: Route.Upstream) async -> [Finding] {
        let tls = upstream.usesTLS ? upstreamTLS : nil
        let certificate = await certificate(of: upstream.origin, host: upstream.host, port: upstream.port, tls: tls)
        switch await PortProbe(eventLoopGroup: eventLoopGroup).connect(to: upstream.host, port: upstream.port, tls: tls)
        {
        case .success: return [.ok(.upstreams, "upstream", "\(upstream.origin) takes connections")] + certificate
        case .failure(let failure):
            return [
                .fail(
                    .upstreams, "upstream", "\(upstream.origin): \(failure.reason)",
                    remedy: "Start it, or correct the route's upstreams"
                        + (upstream.usesTLS ? "; give its authority in TOLLGATE_UPSTREAM_CA_FILE." : "."))
            ] + certificate
        }
    }

    private var upstreamTLS: TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.upstreamAuthorityFile { tls.trustRoots = .file(file) }
        return tls
    }

    /// When the certificate that is shown there ends, trusted or not. None without TLS, or without an answer.
    private func certificate(of name: String, host: String, port: Int, tls: TLSConfiguration?) async -> [Finding] {
        guard var tls else { return [] }
        tls.certificateVerification = .none
        let peer = await PortProbe(eventLoopGroup: eventLoopGroup).connect(to: host, port: port, tls: tls)
        return (try? peer.get().certificateEnds).map { [.certificate(of: name, ends: $0, now: time.now())] } ?? []
    }

    func certificates() async -> [Finding] {
        let files = [
            (Setting.redisCertificateFile, configuration.redis.certificateFile),
            (.redisAuthorityFile, configuration.redis.authorityFile),
            (.upstreamAuthorityFile, configuration.upstreamAuthorityFile),
        ]
        let ofFiles = files.compactMap { setting, file in file.flatMap { certificate(in: $0, of: setting) } }
        let all = await ofFiles + ofRedis()
        return all.isEmpty ? [.skipped(.certificates, "certificate", "not configured")] : all
    }

    /// Of several in one file the last to end counts: old ones may stand beside their successors.
    private func certificate(in file: String, of setting: Setting) -> Finding? {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file),
            let end = certificates.compactMap({ UnixTime(checkedSeconds: Int64($0.notValidAfter)) }).max()
        else { return nil }
        return .certificate(of: "\(setting.name) (\(file))", ends: end, now: time.now())
    }

    private func ofRedis() async -> [Finding] {
        guard let settings = try? configuration.redis.clientConfiguration, settings.endpoint.usesTLS else { return [] }
        let places: [(host: String, port: Int)] =
            switch settings.endpoint.address {
            case .tcp(let host, let port): [(host, port)]
            case .unixSocket: []
            case .sentinels(let group): group.places.map { ($0.host, $0.port) }
            case .cluster(let seeds): seeds.nodes.map { ($0.host, $0.port) }
            }
        return await each(of: Array(places.prefix(Self.maximumUpstreams))) { host, port in
            await certificate(
                of: "Redis at \(host):\(port)", host: host, port: port, tls: settings.tls ?? .makeClientConfiguration())
        }.flatMap(\.self)
    }
}
