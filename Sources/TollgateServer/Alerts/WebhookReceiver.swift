import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NameResolution
import OutboundCalls
import TollgateConfiguration
import TollgateCore

/// Where alerts are sent as webhooks: signs them, and takes an answer of 200 to 299 for a receipt.
struct WebhookReceiver: AlertReceiver {
    private static let service = CalledService(
        name: "The receiver of alerts", temporaryStatuses: Set(300..<500))

    /// For one try, from looking the name up to the answer.
    private static let timeLimit: Duration = .seconds(10)

    /// What the receiver says is not read beyond this.
    private static let maximumAnswerBytes = 65_536

    let pace = AlertPace(claimedAtATime: 32, sentAtATime: 8)

    private let url: String
    private let signingKey: [UInt8]
    private let destination: AlertDestination
    private let outage: ServiceOutage

    init(
        settings: AlertSettings.Webhook, allowsPrivateNetworks: Bool, resolver: any NameResolver = SystemNameResolver(),
        eventLoopGroup: any EventLoopGroup, outage: ServiceOutage
    ) {
        url = settings.url.revealed
        signingKey = settings.signingKey
        destination = AlertDestination(
            place: "\(CalledPlace(settings.url.revealed))", host: settings.host, port: settings.port,
            allowsPrivateNetworks: allowsPrivateNetworks, service: Self.service, resolver: resolver,
            eventLoopGroup: eventLoopGroup)
        self.outage = outage
    }

    func connected(turn: Int, _ body: (any AlertConnections) async -> Void) async {
        var configuration = HTTPClient.Configuration.outbound(connect: .seconds(5), read: .seconds(10))
        var problem: CallError?
        do {
            if let address = try await destination.address(turn: turn).ipAddress {
                configuration.dnsOverride = [destination.host: address]
            }
        } catch {
            problem = error
        }
        let client = HTTPClient(eventLoopGroup: destination.eventLoopGroup, configuration: configuration)
        await body(Connections(receiver: self, client: client, problem: problem))
        try? await client.shutdown()
    }

    private struct Connections: AlertConnections {
        let receiver: WebhookReceiver
        let client: HTTPClient

        /// Why there are none.
        let problem: CallError?

        func send(_ message: AlertMessage, at time: UnixTime) async -> AlertDelivery.Result {
            await receiver.send(message, at: time, over: self)
        }
    }

    // MARK: One try

    private func send(
        _ message: AlertMessage, at time: UnixTime, over connections: Connections
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
            return failed(CallError(error, calling: Self.service, at: url), waitSeconds: nil)
        }
    }

    private func request(for message: AlertMessage, at time: UnixTime) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
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
            Self.service, .refused, "\(Self.service.name) at \(CalledPlace(url)) did not take it.",
            httpStatus: status)
        if status == 410 { return .gone(reason: "\(error)") }
        return failed(
            error, waitSeconds: RetryAfter.seconds(response.headers.first(name: "retry-after")).map { Int64($0) })
    }

    private func failed(_ error: CallError, waitSeconds: Int64?) -> AlertDelivery.Result {
        outage.heard(error, from: Self.service)
        return .failed(reason: "\(error)", waitSeconds: waitSeconds)
    }
}
