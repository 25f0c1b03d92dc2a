import Logging
import Synchronization
package import TollgateCore

/// The public keys of one instance of Clerk, loaded when first needed and again when a token suggests a rotation.
///
/// Decisions are ``KeyRingPolicy``'s; this performs them. All callers that need a load share one.
package final class KeyRing: Sendable {
    package typealias Answer = KeyRingPolicy<VerificationKey>.Answer

    private struct State {
        var policy = KeyRingPolicy<VerificationKey>()
        var load: Task<Void, Never>?

        /// Why the keys cannot be loaded just now, as the log was told. Nil when all is well.
        var toldReason: String?
    }

    private let state = Mutex(State())
    private let source: @Sendable () async throws -> [String: VerificationKey]
    private let onLoss: @Sendable (_ epoch: Int) -> Void
    private let place: String?
    private let logger: Logger

    /// - Parameters:
    ///   - place: The URL of the source, for the log. Nil where there is none.
    ///   - source: Loads the keys by name. Its time must be limited: all callers wait for the one load.
    ///   - onLoss: Told the new epoch when a key disappeared or changed.
    init(
        place: String? = nil,
        source: @escaping @Sendable () async throws -> [String: VerificationKey],
        logger: Logger,
        onLoss: @escaping @Sendable (_ epoch: Int) -> Void
    ) {
        self.place = place
        self.source = source
        self.logger = logger
        self.onLoss = onLoss
    }

    /// Whether any set of keys has been loaded yet.
    var isLoaded: Bool { state.withLock { $0.policy.isLoaded } }

    /// The key `name`, other than the one that has just been `rejected`. May wait for a load.
    package func key(
        _ name: String, otherThan rejected: VerificationKey? = nil, at now: UnixTime
    ) async -> Answer {
        let (decision, load) = state.withLock { state in
            let decision = state.policy.find(name, otherThan: rejected, at: now)
            return (decision, perform(decision, in: &state))
        }
        if case .answer(let answer) = decision { return answer }
        await load?.value
        return state.withLock { $0.policy.settle(name, otherThan: rejected, at: now) }
    }

    /// Loads the keys again, or waits for a load that is under way. False when that failed.
    package func reload(at now: UnixTime) async -> Bool {
        let load = state.withLock { state in
            let decision = state.policy.beginLoad(at: now)
            return perform(decision, in: &state)
        }
        await load?.value
        return state.withLock { $0.policy.lastLoadSucceeded }
    }

    /// The load to wait for. It is a task of its own, which no caller owns: one that is cancelled while it waits
    /// takes nothing from the others.
    private func perform(
        _ decision: KeyRingPolicy<VerificationKey>.Decision, in state: inout State
    ) -> Task<Void, Never>? {
        if case .load = decision { state.load = Task { await self.load() } }
        return state.load
    }

    private func load() async {
        var loaded: [String: VerificationKey]?
        do {
            loaded = try await source()
            tell(of: nil)
        } catch {
            tell(of: "\(error)")
        }
        let (isAnyLost, epoch) = state.withLock { state in
            state.load = nil
            return (state.policy.finishLoad(loaded), state.policy.epoch)
        }
        if isAnyLost {
            logger.notice("Clerk's keys have changed; remembered tokens are forgotten")
            onLoss(epoch)
        }
    }

    /// One line when the source is lost, and one when it is back, however often it is asked meanwhile.
    ///
    /// - Parameter reason: Nil when the keys were loaded.
    private func tell(of reason: String?) {
        let told = state.withLock { state in
            defer { state.toldReason = reason }
            return state.toldReason
        }
        guard reason != told else { return }
        var metadata: Logger.Metadata = place.map { ["url": "\($0)"] } ?? [:]
        guard let reason else {
            return logger.notice("Clerk's keys can be loaded again", metadata: metadata)
        }
        metadata["reason"] = "\(reason)"
        metadata["remedy"] = "tollgate doctor says what to do"
        logger.warning("Clerk's keys cannot be loaded", metadata: metadata)
    }
}
