package import Hiredis
package import NIOCore
package import NIOSSL
package import NameResolution

/// How the client connects and where its limits are.
package struct RedisClientConfiguration: Sendable {
    package var endpoint: RedisEndpoint

    /// Certificates for `rediss://`. Nil trusts the system's authorities and shows no certificate. Its `shutdownTimeout` is
    /// ours.
    package let tls: TLSConfiguration?

    /// From the moment at which a command leaves to its reply. While one waits longer, the next are refused at once.
    package var commandTimeout: TimeAmount

    /// From the first attempt to the answer of the handshake's PING.
    package var connectTimeout: TimeAmount

    /// Commands that may wait on one connection; the next one fails at once.
    package var maximumPendingCommands: Int

    /// What `CLIENT LIST` shows for our connections.
    package var clientName: String

    package var backoff: Backoff

    /// How long a connection may be without a command before it is asked for a sign of life, about.
    package var idleInterval: TimeAmount

    /// How often it is looked whether the name leads elsewhere by now.
    package var addressInterval: TimeAmount

    package var resolver: any NameResolver

    /// Scripts that Redis is told in the handshake, so that no call has to bring the text along.
    package var scripts: [RedisScript]

    /// Commands that tell whether the server is of use: what callers need is tried, not concluded from a PONG. Sent as
    /// part of the handshake and whenever it is asked whether the server is fit.
    package var probe: [RedisCommand]

    /// Asked for the password at each login, on a thread where it may wait for a file. What it throws is shown to people.
    /// Nil when the password is the endpoint's.
    package var passwordSource: (@Sendable () throws -> String)?

    /// How to log in to sentinels. Nil when it is as at Redis.
    package var sentinelLogin: RedisEndpoint.Login?

    /// What every connection begins with, after the login and before it is given any command. Nil when it is nothing.
    package var greeting: Greeting?

    /// Whether the server is one of a cluster's: it may send commands elsewhere without being of no use.
    var isClusterNode = false

    /// A command whose reply must be known before a connection is of use.
    package struct Greeting: Sendable {
        let command: RedisCommand
        let accept: @Sendable (_ reply: RedisReply, _ sentAt: NIODeadline) -> String?

        /// - Parameter accept: Told the reply as it comes, and when the command was sent. Gives the reason when the
        ///   connection is of no use, or nil.
        package init(
            _ command: RedisCommand, accept: @escaping @Sendable (_ reply: RedisReply, _ sentAt: NIODeadline) -> String?
        ) {
            self.command = command
            self.accept = accept
        }
    }

    private static let tlsShutdownTimeout: TimeAmount = .milliseconds(100)

    /// How long a reply may be overdue without any sign of life until another connection is looked for: with the timeout of
    /// the command a second, or twice the timeout.
    var patience: TimeAmount { max(.seconds(1), commandTimeout + commandTimeout) - commandTimeout }

    /// - Parameters:
    ///   - tls: Nil is the same as `TLSConfiguration.makeClientConfiguration()`.
    ///   - backoff: Nil is what suits the endpoint.
    package init(
        endpoint: RedisEndpoint,
        tls: TLSConfiguration? = nil,
        commandTimeout: TimeAmount = .milliseconds(200),
        connectTimeout: TimeAmount = .seconds(1),
        maximumPendingCommands: Int = 4096,
        clientName: String = "tollgate",
        backoff: Backoff? = nil,
        idleInterval: TimeAmount = .seconds(30),
        addressInterval: TimeAmount = .seconds(30),
        resolver: any NameResolver = SystemNameResolver(),
        scripts: [RedisScript] = [],
        probe: [RedisCommand] = [],
        greeting: Greeting? = nil,
        passwordSource: (@Sendable () throws -> String)? = nil,
        sentinelLogin: RedisEndpoint.Login? = nil
    ) {
        self.endpoint = endpoint
        // A server that does not answer close_notify in time has nothing left to say.
        var tls = tls ?? .makeClientConfiguration()
        tls.shutdownTimeout = Self.tlsShutdownTimeout
        self.tls = tls
        self.commandTimeout = commandTimeout
        self.connectTimeout = connectTimeout
        self.maximumPendingCommands = maximumPendingCommands
        self.clientName = clientName
        self.backoff = backoff ?? .standard(usesTLS: endpoint.usesTLS)
        self.idleInterval = idleInterval
        self.addressInterval = addressInterval
        self.resolver = resolver
        self.scripts = scripts
        self.probe = probe
        self.greeting = greeting
        self.passwordSource = passwordSource
        self.sentinelLogin = sentinelLogin
    }

    /// `TLSConfiguration` for a private authority and, where Redis asks for one, a client certificate. PEM files.
    ///
    /// - Throws: `NIOSSLError` or an I/O error when a file cannot be read.
    package static func tls(
        authorityFile: String?, certificateFile: String?, keyFile: String?
    ) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authorityFile { configuration.trustRoots = .file(authorityFile) }
        if let certificateFile, let keyFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificateFile).map {
                .certificate($0)
            }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: keyFile, format: .pem))
        }
        return configuration
    }
}
