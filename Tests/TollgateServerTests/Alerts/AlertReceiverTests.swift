import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NameResolution
import OutboundCalls
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
@testable import TollgateServer

/// How one message is sent, and where it is not.
@Suite struct AlertReceiverTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private static let message = AlertMessage(id: "msg_1", body: #"{"type":"test"}"#)

    /// Leads every name to some addresses, as a name server in others' hands does.
    private struct Names: NameResolver {
        let ips: [String]

        func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeCompletedFuture { try ips.map { try SocketAddress(ipAddress: $0, port: port) } }
        }
    }

    private static func send(
        to url: String, allowPrivate: Bool, names: [String], log: KeptLog = KeptLog()
    ) async throws -> AlertDelivery.Result {
        let configuration = try GatewayConfiguration.load(
            flags: [:],
            environment: [
                "REDIS_URL": "redis://localhost", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
                "TOLLGATE_ALERT_URL": url, "TOLLGATE_ALERT_SECRET": secret,
                "TOLLGATE_ALERT_ALLOW_PRIVATE": "\(allowPrivate)",
            ], workingDirectory: "/nonexistent")
        let alerts = try #require(configuration.alerts)
        let receiver = WebhookReceiver(
            settings: try #require(alerts.webhook), allowsPrivateNetworks: alerts.allowsPrivateNetworks,
            resolver: Names(ips: names),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, outage: ServiceOutage(logger: log.logger))
        var result: AlertDelivery.Result?
        await receiver.connected(turn: 0) { connections in
            result = await connections.send(message, at: UnixTime(seconds: 1_764_198_000))
        }
        return try #require(result)
    }

    private static func port(_ url: String) -> Substring {
        url.dropFirst("http://127.0.0.1:".count).prefix { $0 != "/" }
    }

    /// The one of the specification's libraries.
    @Test func theSignatureIsThatOfTheStandard() throws {
        let key = try #require(try Self.decoded(Self.secret))
        let signature = StandardWebhook.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: UnixTime(seconds: 1_614_265_330), body: #"{"test": 2432232314}"#,
            key: key)
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    private static func decoded(_ secret: String) throws -> [UInt8]? {
        try GatewayConfiguration.load(
            flags: [:],
            environment: [
                "REDIS_URL": "redis://localhost", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
                "TOLLGATE_ALERT_URL": "https://hooks.example.com", "TOLLGATE_ALERT_SECRET": secret,
            ], workingDirectory: "/nonexistent"
        ).alerts?.webhook?.signingKey
    }

    @Test func whatWasLookedAtIsConnectedTo() async throws {
        try await AlertInbox.with { inbox, url in
            // There is no such name; it leads where the resolver says.
            let result = try await Self.send(
                to: "http://hooks.example.invalid:\(Self.port(url))/x", allowPrivate: true, names: ["127.0.0.1"])
            #expect(result == .delivered)
            let message = try #require(inbox.messages.first)
            #expect(message.id == "msg_1" && message.headers["webhook-timestamp"] == "1764198000")
            #expect(message.headers["host"]?.hasPrefix("hooks.example.invalid") == true)
        }
    }

    @Test(arguments: [
        ["127.0.0.1"], ["::1"], ["10.0.0.8", "192.168.0.1"], ["169.254.169.254"], ["fd00::1"], ["fe80::1"],
        ["::ffff:127.0.0.1"], ["0.0.0.0"], ["100.64.0.1"], ["172.31.255.255"], ["64:ff9b::a00:1"], ["::"], [],
    ])
    func privateAddressesAreNotCalled(names: [String]) async throws {
        try await AlertInbox.with { inbox, url in
            let result = try await Self.send(
                to: "http://hooks.example.invalid:\(Self.port(url))/x", allowPrivate: false, names: names)
            guard case .failed(let reason, _) = result else {
                Issue.record("\(result)")
                return
            }
            #expect(reason.contains("TOLLGATE_ALERT_ALLOW_PRIVATE=true"), "\(reason)")
            #expect(inbox.messages.isEmpty)
        }
    }

    @Test func redirectsAreNotFollowed() async throws {
        try await AlertInbox.with { other, otherURL in
            let answer = AlertInbox.Answer.status(302, ["location": otherURL])
            try await AlertInbox.with(answering: { _, _ in answer }) { inbox, url in
                let result = try await Self.send(to: url, allowPrivate: true, names: ["127.0.0.1"])
                guard case .failed(let reason, _) = result else {
                    Issue.record("\(result)")
                    return
                }
                #expect(reason.contains("302"), "\(reason)")
                #expect(inbox.messages.count == 1 && other.messages.isEmpty)
            }
        }
    }

    @Test func answersSayWhatComesNext() async throws {
        let answers: [(AlertInbox.Answer, AlertDelivery.Result?)] = [
            (.status(200), .delivered), (.status(299), .delivered),
            (.status(503, ["retry-after": "120"]), nil), (.status(404), nil), (.status(410), nil),
        ]
        for (answer, wanted) in answers {
            try await AlertInbox.with(answering: { _, _ in answer }) { _, url in
                let log = KeptLog()
                let result = try await Self.send(
                    to: url + "/token-hunter2", allowPrivate: true, names: ["127.0.0.1"], log: log)
                switch (answer, result) {
                case (.status(503, _), .failed(_, let seconds)): #expect(seconds == 120)
                case (.status(410, _), .gone): break
                case (.status(404, _), .failed(_, nil)): break
                default: #expect(result == wanted)
                }
                #expect(!"\(result)".contains("hunter2") && !"\(log.lines)".contains("hunter2"))
            }
        }
    }
}
