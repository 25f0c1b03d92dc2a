import JSONValue
import NIOCore
import NameResolution
import OutboundCalls
import SMTPClient
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

/// Who gets alerts by mail: the server that is to take them for all mailboxes, or for none.
struct MailReceiver: AlertReceiver {
    private static let service = CalledService(name: "The mail server")

    /// For one mail, from connecting on. Servers look at what they get before they take it.
    static let timeLimit: TimeAmount = .seconds(20)

    let pace = AlertPace(claimedAtATime: 4, sentAtATime: 2)

    private let settings: AlertSettings.Mail
    private let destination: AlertDestination
    private let client: SMTPClient
    private let outage: ServiceOutage

    /// - Throws: What makes the system's authorities unusable.
    init(
        settings: AlertSettings.Mail, allowsPrivateNetworks: Bool, resolver: any NameResolver = SystemNameResolver(),
        timeLimit: TimeAmount = Self.timeLimit, eventLoopGroup: any EventLoopGroup, outage: ServiceOutage
    ) throws {
        self.settings = settings
        destination = AlertDestination(
            place: settings.server.place, host: settings.server.host, port: settings.server.port,
            allowsPrivateNetworks: allowsPrivateNetworks, service: Self.service, resolver: resolver,
            eventLoopGroup: eventLoopGroup)
        client = try SMTPClient(server: settings.server, timeLimit: timeLimit, eventLoopGroup: eventLoopGroup)
        self.outage = outage
    }

    func connected(turn: Int, _ body: (any AlertConnections) async -> Void) async {
        let address: Result<SocketAddress, CallError>
        do { address = .success(try await destination.address(turn: turn)) } catch { address = .failure(error) }
        await body(Connections(receiver: self, address: address))
    }

    /// A connection for each mail: there are few.
    private struct Connections: AlertConnections {
        let receiver: MailReceiver
        let address: Result<SocketAddress, CallError>

        func send(_ message: AlertMessage, at time: UnixTime) async -> AlertDelivery.Result {
            switch address {
            case .success(let address): await receiver.send(message, at: address, time)
            case .failure(let problem): receiver.failed(problem)
            }
        }
    }

    /// Whether the server takes mail, by all that comes before one.
    ///
    /// - Returns: Why it does not.
    func check() async -> CallError? {
        do {
            switch await client.check(at: try await destination.address(turn: 0)) {
            case .accepted: return nil
            case .refused(let refusal): return error("\(refusal)")
            case .failed(let reason): return error(reason)
            }
        } catch { return error }
    }

    // MARK: One try

    private func send(
        _ message: AlertMessage, at address: SocketAddress, _ time: UnixTime
    ) async -> AlertDelivery.Result {
        switch await client.send(mail(of: message, at: time), at: address) {
        case .accepted:
            outage.heard(nil, from: Self.service)
            return .delivered
        case .refused(let refusal) where refusal.isPermanent:
            outage.heard(nil, from: Self.service)
            return .gone(reason: "\(error("\(refusal)"))")
        case .refused(let refusal): return failed(error("\(refusal)"))
        case .failed(let reason): return failed(error(reason))
        }
    }

    private func mail(of message: AlertMessage, at time: UnixTime) -> MailMessage {
        let text = AlertText(JSON(parsing: message.body.utf8) ?? .null, id: message.id)
        var date = HTTPDate()
        return MailMessage(
            from: settings.from, to: settings.to, subject: text.subject, id: message.id,
            // The same moment in the spelling of mails.
            date: date.text(at: time).replacing("GMT", with: "+0000"), text: text.body)
    }

    /// - Parameter reason: A clause.
    private func error(_ reason: String) -> CallError {
        CallError(Self.service, .unreachable, "\(Self.service.name) at \(destination.place): \(reason).")
    }

    private func failed(_ error: CallError) -> AlertDelivery.Result {
        outage.heard(error, from: Self.service)
        return .failed(reason: "\(error)", waitSeconds: nil)
    }
}
