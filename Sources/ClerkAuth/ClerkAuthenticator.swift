package import AsyncHTTPClient
package import Logging
import Synchronization
package import TollgateCore

/// Accepts the session tokens of one instance of Clerk, by the rules of Clerk's own SDKs.
///
/// A token is taken apart (``SessionToken``), its signature verified with a key of the ``KeyRing``, its claims
/// compared (``ClerkConfiguration/principal(from:at:)``), and then it is remembered (``TokenMemory``).
package final class ClerkAuthenticator: TokenAuthenticator, Sendable {
    /// A PEM is one key for all tokens; the name that they give it does not matter.
    private static let onlyKeyName = ""

    private let configuration: ClerkConfiguration
    private let time: any TimeSource
    private let memory: TokenMemory
    private let keyRing: KeyRing
    private let signatureChecksCounter = Atomic<Int>(0)

    /// - Parameters:
    ///   - httpClient: Loads the key set. Not needed with a PEM.
    ///   - memoryCapacity: How many verified tokens are remembered.
    /// - Throws: ``ClerkConfigurationProblem`` when the PEM does not parse, or when a client is needed and missing.
    package init(
        configuration: ClerkConfiguration,
        time: any TimeSource,
        httpClient: HTTPClient?,
        logger: Logger,
        memoryCapacity: Int = TokenMemory.defaultCapacity
    ) throws {
        let memory = TokenMemory(capacity: memoryCapacity)
        self.configuration = configuration
        self.time = time
        self.memory = memory
        let place: String? = if case .jwks(let url, _) = configuration.keySource { url } else { nil }
        keyRing = KeyRing(
            place: place, source: try Self.source(of: configuration.keySource, httpClient: httpClient),
            logger: logger,
            onLoss: memory.forgetAll(epoch:))
    }

    /// Whether there is a key that verifies tokens. False until the key set was loaded for the first time.
    package var hasKey: Bool {
        switch configuration.keySource {
        case .pem: true
        case .jwks: keyRing.isLoaded
        }
    }

    /// How many signatures have been verified or refused since start. Remembered tokens do not add to it.
    package var signatureChecks: Int { signatureChecksCounter.load(ordering: .relaxed) }

    /// Tells who `token` belongs to. Waits only for keys that are not there yet, or no longer fit.
    package func authenticate(token: String) async throws(AuthenticationFailure) -> Principal {
        if let principal = try remembered(token: token) { return principal }
        let parsed = try SessionToken(token)
        let epoch = try await verifySignature(of: parsed)
        let principal = try configuration.principal(from: parsed.claims, at: time.now())
        memory.remember(
            TokenMemory.Entry(principal: principal, lifetime: parsed.claims.lifetime),
            for: token, epoch: epoch)
        return principal
    }

    /// Tells who `token` belongs to if it has been verified before, without waiting for anything. Nil if it has not.
    ///
    /// - Throws: ``AuthenticationFailure`` when it was good and has expired since.
    package func remembered(token: String) throws(AuthenticationFailure) -> Principal? {
        guard token.utf8.count <= SessionToken.maximumBytes, let entry = memory.entry(for: token) else { return nil }
        try entry.lifetime.check(at: time.now())
        return entry.principal
    }

    /// Keeps the key set fresh until the task is cancelled. Returns at once when a PEM is all there is.
    package func run() async {
        await run { delay in try await Task.sleep(for: delay) }
    }

    /// ``run()`` with a way to wait of the caller's choice. It ends when `pause` throws.
    package func run(pause: (Duration) async throws -> Void) async {
        guard case .jwks = configuration.keySource else { return }
        var failures = 0
        while !Task.isCancelled {
            let isLoaded = await keyRing.reload(at: time.now())
            failures = isLoaded ? 0 : failures + 1
            let delay = RefreshSchedule.delay(afterFailures: failures, jitter: .random(in: 0...1))
            guard (try? await pause(delay)) != nil else { return }
        }
    }

    /// The epoch of the key that signed `token`.
    ///
    /// A key that does not fit may have been replaced under the same name, so the ring is asked for another one.
    private func verifySignature(of token: SessionToken) async throws(AuthenticationFailure) -> Int {
        let name = try keyName(of: token)
        let (key, epoch) = try Self.key(from: await keyRing.key(name, at: time.now()))
        if isSigned(token, by: key) { return epoch }
        if case .key(let replacement, let epoch) = await keyRing.key(name, otherThan: key, at: time.now()),
            isSigned(token, by: replacement)
        {
            return epoch
        }
        throw AuthenticationFailure(
            .signatureInvalid, "The session token's signature is wrong; send a token of this site as Clerk gave it.")
    }

    private func isSigned(_ token: SessionToken, by key: VerificationKey) -> Bool {
        signatureChecksCounter.add(1, ordering: .relaxed)
        return key.verifies(token)
    }

    private func keyName(of token: SessionToken) throws(AuthenticationFailure) -> String {
        if case .pem = configuration.keySource { return Self.onlyKeyName }
        guard let keyID = token.keyID else { throw .keyUnknown }
        return keyID
    }

    private static func key(
        from answer: KeyRing.Answer
    ) throws(AuthenticationFailure) -> (key: VerificationKey, epoch: Int) {
        switch answer {
        case .key(let key, let epoch): return (key, epoch)
        case .unknown: throw .keyUnknown
        case .unavailable:
            throw AuthenticationFailure(
                .keysUnavailable, "The keys that verify session tokens cannot be loaded; try again in a few seconds.")
        }
    }

    private static func source(
        of keySource: ClerkConfiguration.KeySource, httpClient: HTTPClient?
    ) throws(ClerkConfigurationProblem) -> @Sendable () async throws -> [String: VerificationKey] {
        switch keySource {
        case .pem(let text):
            let publicKey = try PublicKeyPEM.parse(text)
            return { [onlyKeyName: try await VerificationKey(publicKey)] }
        case .jwks(let url, let bearerSecret):
            guard let httpClient else {
                throw ClerkConfigurationProblem("Clerk's keys are loaded over HTTP, which needs an HTTP client.")
            }
            return KeySetEndpoint(url: url, bearerSecret: bearerSecret, httpClient: httpClient).load
        }
    }
}

extension AuthenticationFailure {
    fileprivate static let keyUnknown = Self(
        .keyUnknown, "The session token is signed with a key that this site does not have; sign in again.")
}
