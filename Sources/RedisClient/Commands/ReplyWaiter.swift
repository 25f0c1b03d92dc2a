package import Hiredis

/// The caller that waits for a reply, and the form in which it takes it. Called once.
package enum ReplyWaiter {
    /// Takes any reply.
    case reply((Result<RedisReply, RedisError>) -> Void)

    /// Takes a flat array of a few integers, and nil for every other reply.
    case call(any DirectScriptCall)

    /// As ``guarded(by:)`` says.
    case guarded(Guarded)

    /// A waiter, and what is told before it.
    package final class Guarded {
        fileprivate let waiter: ReplyWaiter
        fileprivate let handles: (RedisError?) -> Bool

        fileprivate init(_ waiter: ReplyWaiter, _ handles: @escaping (RedisError?) -> Bool) {
            self.waiter = waiter
            self.handles = handles
        }
    }

    /// The same, but that `handles` is told before: of an error, or nil when there is a reply. When it says of an error that
    /// it handles it, the waiter is not told: then it is told by other means, once.
    func guarded(by handles: @escaping (RedisError?) -> Bool) -> ReplyWaiter { .guarded(Guarded(self, handles)) }

    func succeed(_ reply: borrowing ParsedReply) {
        switch self {
        case .reply(let tell): tell(.success(reply.copied()))
        case .call(let call): call.finish(.success(reply.integers))
        case .guarded(let guarded):
            _ = guarded.handles(nil)
            guarded.waiter.succeed(reply)
        }
    }

    func fail(_ error: RedisError) {
        switch self {
        case .reply(let tell): tell(.failure(error))
        case .call(let call): call.finish(.failure(error))
        case .guarded(let guarded): if !guarded.handles(error) { guarded.waiter.fail(error) }
        }
    }
}
