import JSONValue
import Logging
import NIOCore
import NIOPosix
import NameResolution
import OutboundCalls
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateStore
@testable import TollgateServer

/// How one mail is sent, and what comes of it.
@Suite(.timeLimit(.minutes(2))) struct MailReceiverTests {
    private static let message = AlertMessage(
        id: "msg_1",
        body:
            #"{"type":"key.expiring","timestamp":"2026-11-29T12:00:00Z","data":{"user":"user_abc","key":"key_1","name":"é\r\nBcc: x@y.z"}}"#
    )

    /// Leads every name to some addresses.
    private struct Names: NameResolver {
        let ips: [String]

        func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeCompletedFuture { try ips.map { try SocketAddress(ipAddress: $0, port: port) } }
        }
    }

    private static func receiver(
        _ place: String, allowPrivate: Bool = true, names: [String] = ["127.0.0.1"], log: KeptLog = KeptLog()
    ) throws -> MailReceiver {
        let configuration = try GatewayConfiguration.load(
            flags: [:],
            environment: [
                "REDIS_URL": "redis://localhost", "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
                "TOLLGATE_ALERT_SMTP_URL": "smtp://\(place)&from=alerts@example.com&to=ops@example.com",
                "TOLLGATE_ALERT_ALLOW_PRIVATE": "\(allowPrivate)",
            ], workingDirectory: "/nonexistent")
        let alerts = try #require(configuration.alerts)
        return try MailReceiver(
            settings: try #require(alerts.mail), allowsPrivateNetworks: alerts.allowsPrivateNetworks,
            resolver: Names(ips: names), eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            outage: ServiceOutage(logger: log.logger))
    }

    private static func send(_ receiver: MailReceiver) async throws -> AlertDelivery.Result {
        var result: AlertDelivery.Result?
        await receiver.connected(turn: 0) { connections in
            result = await connections.send(message, at: UnixTime(seconds: 1_795_962_235))
        }
        return try #require(result)
    }

    @Test func whatWasLookedAtIsConnectedTo() async throws {
        try await MailServer.with { server in
            // There is no such name; it leads where the resolver says.
            let receiver = try Self.receiver("smtp.example.invalid:\(server.port)?starttls=off")
            #expect(try await Self.send(receiver) == .delivered)
            let mail = try #require(server.mails.first)
            #expect(mail.headers("Subject") == ["A key of user_abc ends at -"] && mail.headers("Bcc").isEmpty)
            #expect(mail.headers("Date") == ["Sun, 29 Nov 2026 14:23:55 +0000"])
            #expect(mail.recipients == ["ops@example.com"] && mail.text.contains("Its name: é  Bcc: x@y.z"))
            #expect(await receiver.check() == nil)
            #expect(server.mails.count == 1)
        }
    }

    @Test(arguments: [["127.0.0.1"], ["::1"], ["10.0.0.8"], ["169.254.169.254"], ["::ffff:127.0.0.1"], []])
    func privateAddressesAreNotCalled(names: [String]) async throws {
        try await MailServer.with { server in
            let receiver = try Self.receiver(
                "smtp.example.invalid:\(server.port)?starttls=off", allowPrivate: false, names: names)
            guard case .failed(let reason, nil) = try await Self.send(receiver) else {
                Issue.record("it was called")
                return
            }
            #expect(reason.contains("TOLLGATE_ALERT_ALLOW_PRIVATE=true"), "\(reason)")
            #expect(await receiver.check()?.message == reason)
            #expect(server.mails.isEmpty)
        }
    }

    /// Another worker takes up what is not done when a claim ends.
    @Test func aClaimIsLongerThanItsMailsTake() throws {
        let pace = try Self.receiver("localhost?starttls=off").pace
        let rounds = Int64(pace.claimedAtATime / pace.sentAtATime)
        let lookUp: TimeAmount = .seconds(5)
        #expect(lookUp + MailReceiver.timeLimit * rounds < .seconds(RedisAlertOutbox.leaseSeconds - 10))
    }

    @Test func refusalsSayWhatComesNext() async throws {
        try await MailServer.with(login: ("gate", "hunter2")) { server in
            let log = KeptLog()
            let receiver = try Self.receiver("gate:hunter2@localhost:\(server.port)?starttls=off", log: log)
            try server.answer(["DATA 451 later", "RCPT 550 no such user"])
            let place = "The mail server at localhost:\(server.port): it answered"
            #expect(
                try await Self.send(receiver)
                    == .failed(reason: "\(place) the message with 451 later.", waitSeconds: nil))
            #expect(
                try await Self.send(receiver)
                    == .gone(reason: "\(place) RCPT TO:<ops@example.com> with 550 no such user."))
            #expect(try await Self.send(receiver) == .delivered)
            let wrong = try Self.receiver("gate:hunter3@localhost:\(server.port)?starttls=off", log: log)
            guard case .failed(let reason, nil) = try await Self.send(wrong) else {
                Issue.record("a wrong password may be mended")
                return
            }
            #expect(reason.contains("AUTH PLAIN with 535"), "\(reason)")
            #expect(!"\(log.lines)".contains("hunter"))
        }
    }
}
