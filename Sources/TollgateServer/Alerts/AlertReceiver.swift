import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NameResolution
import OutboundCalls
import TollgateConfiguration
import TollgateCore

/// Whom alerts are sent to: signs them, and takes an answer of 200 to 299 for a receipt.
struct AlertReceiver: Sendable {
    private static let service = CalledService(
        name: "The receiver of alerts", temporaryStatuses: Set(300..<500))

    /// For one try, from looking the name up to the answer.
    private static let timeLimit: Duration = .seconds(10)

    /// What the receiver says is not read beyond this.
    private static let maximumAnswerBytes = 65_536

    private let settings: AlertSettings
    private let signingKey: [UInt8]
    private let resolver: any NameResolver
    private let eventLoopGroup: any EventLoopGroup
    private let outage: ServiceOutage

    init(
        settings: AlertSettings, resolver: any NameResolver = SystemNameResolver(),
        eventLoopGroup: any EventLoopGroup, outage: ServiceOutage
    ) {
        self.settings = settings
        signingKey = settings.signingKey
        self.resolver = resolver
        self.eventLoopGroup = eventLoopGroup
        self.outage = outage
    }

    /// Runs `body` with connections to the receiver.
    ///
    /// - Parameter turn: Which of the receiver's addresses is taken: another one with each.
    func connected(turn: Int, _ body: (Connections) async -> Void) async {
        var configuration = HTTPClient.Configuration.outbound(connect: .seconds(5), read: .seconds(10))
        var problem: CallError?
        do {
            // What was looked at is what is connected to, whatever the name server says next.
            configuration.dnsOverride = [settings.host: try await findAddress(turn: turn)]
        } catch {
            problem = error
        }
        let client = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: configuration)
        await body(Connections(receiver: self, client: client, problem: problem))
        try? await client.shutdown()
    }

    /// Connections to the receiver, for some messages.
    struct Connections: Sendable {
        fileprivate let receiver: AlertReceiver
        fileprivate let client: HTTPClient

        /// Why there are none.
        fileprivate let problem: CallError?

        /// Sends a message once.
        ///
        /// - Parameter time: Now.
        func send(_ alert: OutgoingMessage, at time: UnixTime) async -> AlertDelivery.Result {
            await receiver.send(alert, at: time, over: self)
        }
    }

    /// What is sent.
    struct OutgoingMessage: Sendable, Hashable {
        let id: String
        let body: String
    }

    // MARK: One try

    private func send(
        _ message: OutgoingMessage, at time: UnixTime, over connections: Connections
    ) async -> AlertDelivery.Result {
        if let problem = connections.problem { return failed(problem, waitSeconds: nil) }
        do {
            let response = try await withTimeLimit(Self.timeLimit) {
                let response = try await connections.client.execute(
                    request(for: message, at: time), timeout: TimeAmount(Self.timeLimit))
                // Read, so that the connection can be used again.
                _ = try? await response.body.collect(upTo: Self.maximumAnswerBytes)
                return response
            }
            return result(of: response)
        } catch {
            return failed(CallError(error, calling: Self.service, at: settings.url.revealed), waitSeconds: nil)
        }
    }

    private func request(for message: OutgoingMessage, at time: UnixTime) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: settings.url.revealed)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "tollgate/\(Version.current)")
        request.headers.add(name: StandardWebhook.idHeader, value: message.id)
        request.headers.add(name: StandardWebhook.timestampHeader, value: "\(time.seconds)")
        request.headers.add(
            name: StandardWebhook.signatureHeader,
            value: StandardWebhook.signature(id: message.id, at: time, body: message.body, key: signingKey))
        request.body = .bytes(ByteBuffer(string: message.body))
        return request
    }

    private func result(of response: HTTPClientResponse) -> AlertDelivery.Result {
        let status = Int(response.status.code)
        if 200..<300 ~= status {
            outage.heard(nil, from: Self.service)
            return .delivered
        }
        let error = CallError(
            Self.service, .refused, "\(Self.service.name) at \(CalledPlace(settings.url.revealed)) did not take it.",
            httpStatus: status)
        if status == 410 { return .gone(reason: "\(error)") }
        return failed(
            error, waitSeconds: RetryAfter.seconds(response.headers.first(name: "retry-after")).map { Int64($0) })
    }

    private func failed(_ error: CallError, waitSeconds: Int64?) -> AlertDelivery.Result {
        outage.heard(error, from: Self.service)
        return .failed(reason: "\(error)", waitSeconds: waitSeconds)
    }

    // MARK: Where to

    /// An address of the receiver that may be called.
    private func findAddress(turn: Int) async throws(CallError) -> String {
        let place = CalledPlace(settings.url.revealed)
        let found: [String]
        do {
            found = try await withTimeLimit(.seconds(5)) {
                try await resolver.addresses(of: settings.host, port: settings.port, on: eventLoopGroup.any()).get()
            }.compactMap(\.ipAddress)
        } catch {
            throw CallError(Self.service, .unreachable, "\(place) could not be found: \(error).")
        }
        let allowed = found.filter { settings.allowsPrivateNetworks || Self.isPublic($0) }
        guard !allowed.isEmpty else {
            throw CallError(
                Self.service, .unreachable,
                """
                \(place) has no address but \(found.prefix(4).joined(separator: ", ")), of this machine or a private \
                network. TOLLGATE_ALERT_ALLOW_PRIVATE=true allows that.
                """)
        }
        return allowed[turn % allowed.count]
    }

    private static func isPublic(_ address: String) -> Bool {
        IPAddress(address).map { !NetworkList.nonPublic.contains($0) } ?? false
    }
}
