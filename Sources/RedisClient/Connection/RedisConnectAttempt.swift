import ConnectionFailures
import Hiredis
import NIOCore
import NIOPosix
import NIOSSL
import NameResolution

#if canImport(Glibc)
import Glibc
#endif

/// One attempt at a connection: the lookup of the name, the channels to its addresses, and the handshake.
///
/// It may take several channels, one for each address of the name: every channel has a ``RedisChannelHandler`` of its
/// own, and the one that connects first is adopted. One deadline holds for all of it, whatever state it is in.
///
/// Confined to its event loop.
final class RedisConnectAttempt {
    /// Why there is no connection, for people.
    struct Failure: Error {
        let reason: String
        let cost: Backoff.Cost
    }

    /// Replies to what was sent may be missing for so long until the system gives the connection up.
    private static let minimumUserTimeout: TimeAmount = .seconds(5)

    /// How long a connection may be without traffic before the system asks the other side, how long until it asks again.
    private static let keepAliveSeconds: (idle: Int, interval: Int) = (30, 5)

    private let configuration: RedisClientConfiguration
    private let tlsContext: NIOSSLContext?
    private let addresses: HostAddresses?
    private let eventLoop: any EventLoop
    private var handler: RedisChannelHandler?
    private var deadline: Scheduled<Void>?
    private var patience: Scheduled<Void>?
    private var overdueReason = ""

    /// What it has logged in with: never said.
    private var password: String?

    /// The name that the addresses were found by. Empty when they were told as such.
    private var toldName = ""
    private(set) var isLookingUp = false

    /// What Redis answered to a command that may fail: the reason, when nothing comes after it.
    private var lastWord: String?
    private var whenEnded: ((Result<RedisChannelHandler, Failure>) -> Void)?

    /// - Parameters:
    ///   - addresses: Nil for a socket in the file system.
    ///   - whenEnded: Called once, unless the attempt is cancelled. The handler has no delegate.
    init(
        _ configuration: RedisClientConfiguration, tlsContext: NIOSSLContext?, addresses: HostAddresses?,
        eventLoop: any EventLoop, whenEnded: @escaping (Result<RedisChannelHandler, Failure>) -> Void
    ) {
        self.configuration = configuration
        self.tlsContext = tlsContext
        self.addresses = addresses
        self.eventLoop = eventLoop
        self.whenEnded = whenEnded
    }

    private var isOver: Bool { whenEnded == nil }

    func begin() {
        deadline = eventLoop.assumeIsolated().scheduleTask(in: configuration.connectTimeout) {
            self.fail(self.overdueReason, self.handler == nil ? .little : .handshake)
        }
        switch configuration.endpoint.address {
        case .tcp(let host, let port): lookUp(host, port: port)
        case .sentinels(let group): lookUp(group.primary, port: 0)
        case .cluster: fail("a cluster's servers are connected to one by one")
        case .unixSocket(let path):
            overdueReason = "Redis does not take the connection"
            adopt(makeBootstrap().connect(unixDomainSocketPath: path))
        }
    }

    /// Gives the attempt up, without calling `whenEnded`.
    func cancel() {
        whenEnded = nil
        cleanUp()
    }

    // MARK: Addresses

    private func lookUp(_ host: String, port: Int) {
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return connect(to: [address], host: host, port: port)
        }
        guard let addresses else { return fail("the name \(host) has no resolver") }
        overdueReason = "the name \(host) was not resolved in time"
        isLookingUp = true
        addresses.lookUp(on: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let found):
                self.overdueReason = "the name \(host) has no address"
                self.found(found, host: host, port: port)
            case .failure(let error):
                self.overdueReason = "the name \(host) was not resolved: \(error)"
                self.found([], host: host, port: port)
            }
        }
        // A name server that is away takes no Redis with it whose addresses were known.
        let half = TimeAmount.nanoseconds(configuration.connectTimeout.nanoseconds / 2)
        patience = eventLoop.assumeIsolated().scheduleTask(in: half) {
            let known = addresses.known
            if !known.isEmpty { self.found(known, host: host, port: port) }
        }
    }

    private func found(_ found: [SocketAddress], host: String, port: Int) {
        guard !isOver, isLookingUp else { return }
        isLookingUp = false
        let usable = found.isEmpty ? addresses?.known ?? [] : found
        guard !usable.isEmpty else { return fail(overdueReason) }
        connect(to: usable, host: host, port: port)
    }

    // MARK: Channels

    private func connect(to addresses: [SocketAddress], host: String, port: Int) {
        toldName = addresses.first?.name ?? ""
        overdueReason = "Redis does not take the connection"
        var bootstrap = makeBootstrap().channelOption(.socketOption(.so_keepalive), value: 1)
        #if os(Linux)
        let timeout = max(Self.minimumUserTimeout, configuration.commandTimeout + configuration.patience)
        for (option, value) in [
            (TCP_USER_TIMEOUT, Int(timeout.nanoseconds / 1_000_000)),
            (TCP_KEEPIDLE, Self.keepAliveSeconds.idle), (TCP_KEEPINTVL, Self.keepAliveSeconds.interval),
        ] {
            bootstrap = bootstrap.channelOption(.tcpOption(.init(rawValue: option)), value: value)
        }
        #endif
        adopt(
            bootstrap.resolver(KnownAddresses(addresses, eventLoop: eventLoop)).connect(host: host, port: port))
    }

    private func makeBootstrap() -> ClientBootstrap {
        let attempt = NIOLoopBound(self, eventLoop: eventLoop)
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: RedisChannelHandler.writeBufferWaterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (pipeline, attempt) = (channel.pipeline.syncOperations, attempt.value)
                    if let tls = try attempt.makeTLSHandler() { try pipeline.addHandler(tls) }
                    try pipeline.addHandler(
                        RedisChannelHandler(
                            maximumPendingCommands: attempt.configuration.maximumPendingCommands,
                            patience: attempt.configuration.patience,
                            isClusterNode: attempt.configuration.isClusterNode))
                }
            }
    }

    private func makeTLSHandler() throws -> NIOSSLClientHandler? {
        guard let tlsContext else { return nil }
        // What sentinels tell, be it an address or a name, is what the certificate has to name.
        let host = if case .tcp(let host, _) = configuration.endpoint.address { host } else { toldName }
        // Server Name Indication takes names only, never addresses (RFC 6066, section 3).
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tlsContext, serverHostname: isAddress || host.isEmpty ? nil : host)
    }

    private func adopt(_ connected: EventLoopFuture<any Channel>) {
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                guard !self.isOver else { return channel.close(promise: nil) }
                guard channel.isActive,
                    let handler = try? channel.pipeline.syncOperations.handler(type: RedisChannelHandler.self)
                else { return self.fail("Redis closed the connection", .handshake) }
                self.handler = handler
                handler.delegate = self
                self.logIn(handler)
            case .failure(let error): self.fail(Self.reason(error))
            }
        }
    }

    private static func reason(_ error: any Error) -> String { ConnectionFailure(error).description }

    // MARK: Handshake

    private func logIn(_ handler: RedisChannelHandler) {
        guard let source = configuration.passwordSource else {
            return shakeHands(handler, password: configuration.endpoint.password)
        }
        overdueReason = "the password was not read in time"
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop, source).assumeIsolated().whenComplete { result in
            guard !self.isOver else { return }
            switch result {
            case .success(let password): self.shakeHands(handler, password: password)
            case .failure(let error): self.fail("the login failed: \(error)")
            }
        }
    }

    /// AUTH, SELECT, CLIENT SETNAME, the scripts, the greeting, PING and the probe in one write. The connection is good
    /// when all of it is answered.
    private func shakeHands(_ handler: RedisChannelHandler, password: String?) {
        overdueReason = "Redis accepted the connection but does not answer"
        self.password = password?.isEmpty == false ? password : nil
        func send(_ command: RedisCommand, onResult: @escaping (Result<RedisReply, RedisError>) -> Void) {
            handler.send(command, identifier: 0, timeout: configuration.connectTimeout, waiter: onResult)
        }
        let endpoint = configuration.endpoint
        if let password {
            let login = [endpoint.username, password].compactMap(\.self)
            send(RedisCommand(arguments: ["AUTH"] + login)) { result in
                if case .failure(let error) = result { self.fail(Self.loginFailure(error)) }
            }
        }
        if endpoint.database != 0 {
            send(RedisCommand("SELECT", "\(endpoint.database)")) { result in
                guard case .failure(let error) = result else { return }
                self.fail("database \(endpoint.database) cannot be selected: \(error)")
            }
        }
        if case .sentinels = endpoint.address {
            // What sentinels say is not believed of one that says otherwise itself. A replica may take writes, and lose them.
            send(RedisCommand("INFO", "replication")) { result in
                guard case .success(let reply) = result, reply.string?.contains("role:slave") == true else { return }
                self.fail("the sentinels call it the primary, and it is a replica")
            }
        }
        // The name is for operators who read CLIENT LIST; an ACL that forbids it does no harm.
        send(RedisCommand("CLIENT", "SETNAME", configuration.clientName)) { self.heardWord($0) }
        // Where it is not allowed, the first call of a script brings the text along.
        for script in configuration.scripts {
            send(RedisCommand("SCRIPT", "LOAD", script.source)) { self.heardWord($0) }
        }
        // Before the last answer, which makes the connection a good one.
        if let greeting = configuration.greeting {
            let sentAt = NIODeadline.now()
            send(greeting.command) { result in
                switch result {
                case .success(let reply):
                    if let reason = greeting.accept(reply, sentAt) { self.fail(reason) }
                case .failure(let error): self.fail("\(error)")
                }
            }
        }
        send(RedisCommand("PING")) { result in
            switch result {
            case .success, .failure(.server(kind: "NOPERM", _)):
                if self.configuration.probe.isEmpty { self.succeed() }
            case .failure(let error): self.fail("\(error)")
            }
        }
        for (index, command) in configuration.probe.enumerated() {
            let isLast = index == configuration.probe.count - 1
            send(command) { result in
                if case .failure(let error) = result, !error.leavesServerUsable { return self.fail("\(error)") }
                if isLast { self.succeed() }
            }
        }
    }

    /// A Redis that takes no more clients says so in place of the first answer, whatever the question was.
    private static func loginFailure(_ error: RedisError) -> String {
        guard case .server(let kind, let message) = error else { return "\(error)" }
        let isOfLogin = kind != "ERR" || ["AUTH", "password"].contains { message.contains($0) }
        return isOfLogin ? "the login failed: \(error)" : "\(error)"
    }

    private func heardWord(_ result: Result<RedisReply, RedisError>) {
        guard case .failure(.server(let kind, let message)) = result, lastWord == nil else { return }
        let isRefusal = kind == "NOPERM" || message.hasPrefix("ERR unknown")
        if !isRefusal { lastWord = "\(RedisError.server(kind: kind, message: message))" }
    }

    // MARK: The end

    private func succeed() {
        guard let handler, let whenEnded = whenEnded.take() else { return }
        handler.delegate = nil
        self.handler = nil
        cleanUp()
        whenEnded(.success(handler))
    }

    private func fail(_ reason: String, _ cost: Backoff.Cost = .little) {
        guard let whenEnded = whenEnded.take() else { return }
        cleanUp()
        // A server that knows no AUTH says it back.
        let reason = password.map { reason.replacing($0, with: "…") } ?? reason
        whenEnded(.failure(Failure(reason: reason, cost: cost)))
    }

    private func cleanUp() {
        deadline?.cancel()
        patience?.cancel()
        (deadline, patience) = (nil, nil)
        handler?.delegate = nil
        handler?.close(reason: "the attempt to connect is over")
        handler = nil
    }
}

extension SocketAddress {
    fileprivate var name: String {
        switch self {
        case .v4(let address): address.host
        case .v6(let address): address.host
        case .unixDomainSocket: ""
        }
    }
}

extension RedisConnectAttempt: RedisChannelDelegate {
    func channelClosed(reason: String) {
        let wasToldWhy = lastWord != nil || handler?.wasToldWhy == true
        fail(lastWord ?? reason, wasToldWhy ? .little : .handshake)
    }

    func channelDrained() {}
    func pendingCountChanged(_ count: Int) {}
}

@available(*, unavailable)
extension RedisConnectAttempt: Sendable {}
