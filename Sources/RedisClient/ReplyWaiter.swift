import Hiredis

/// Who waits for a reply, and the form in which they take it. Told once.
enum ReplyWaiter {
    case reply((Result<RedisReply, RedisError>) -> Void)

    /// Takes a flat array of a few integers, and nil for every other reply.
    case integers((Result<IntegerReply?, RedisError>) -> Void)

    func succeed(_ reply: borrowing ParsedReply) {
        switch self {
        case .reply(let tell): tell(.success(reply.copied()))
        case .integers(let tell): tell(.success(reply.integers))
        }
    }

    func fail(_ error: RedisError) {
        switch self {
        case .reply(let tell): tell(.failure(error))
        case .integers(let tell): tell(.failure(error))
        }
    }
}
