import RedisClient
import TollgateCore

/// Whose turn it is: one worker at a time has a lease.
struct RedisLease: Sendable {
    private static let script = NamedScript<HoldLeaseSignature>(
        "hold_lease.lua", resource: PackageResources.hold_lease_lua)

    let client: RedisClient
    let key: RedisKey

    /// How long a worker that dies keeps the others from it. One that works on takes the lease anew with each step.
    let milliseconds: Int

    /// Takes the turn, or makes it last. False when another worker has it.
    ///
    /// - Parameter token: Names this worker's turn among all others; random.
    func hold(token: String) async throws(StoreUnavailable) -> Bool {
        try await hold(token, milliseconds: milliseconds)
    }

    /// Gives the turn back.
    func release(token: String) async throws(StoreUnavailable) { _ = try await hold(token, milliseconds: 0) }

    private func hold(_ token: String, milliseconds: Int) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(
            Self.script.call { key in
                switch key {
                case .lease: self.key
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .milliseconds: "\(milliseconds)"
                }
            })
        guard let outcome = Self.script.outcome(of: reply) else { throw Self.script.unexpectedReply() }
        return outcome == .ours
    }
}

private enum HoldLeaseSignature: ScriptSignature {
    enum Key: String, ScriptName { case lease }

    enum Argument: String, ScriptName {
        /// Of this worker's turn.
        case token
        case milliseconds
    }

    enum Outcome: String, ScriptName { case taken, ours }
}
