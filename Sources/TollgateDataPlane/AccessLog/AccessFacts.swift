import Synchronization

/// What an endpoint of the control plane learns of its caller, for the line of the request: collected beside the work on
/// it, in its task.
package final class AccessFacts: Sendable {
    /// Of the request that the task works on. Nil where no line is written.
    @TaskLocal package static var current: AccessFacts?

    struct Values {
        var user: String?
        var plan: String?
        var code: String?
        var cause: String?
    }

    private let values = Mutex(Values())

    init() {}

    var collected: Values {
        values.withLock { Values(user: $0.user, plan: $0.plan, code: $0.code, cause: $0.cause) }
    }

    /// The caller is known.
    ///
    /// - Parameter plan: Nil as long as it is not decided.
    func caller(_ user: String, plan: String?) {
        values.withLock {
            $0.user = user
            if let plan { $0.plan = plan }
        }
    }

    /// The request is refused.
    package func refused(_ error: APIError) { values.withLock { ($0.code, $0.cause) = (error.code, error.cause) } }
}
