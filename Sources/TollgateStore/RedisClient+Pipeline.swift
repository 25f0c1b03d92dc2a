import Hiredis
import RedisClient
import TollgateCore

extension RedisClient {
    /// Sends all `commands` at once, and waits for all replies, where no request of the data plane waits behind them.
    /// Nothing is atomic about it, and they may be of several servers.
    ///
    /// - Returns: The replies, in the order of the commands.
    /// - Throws: The first failure; the other commands may have been carried out.
    func ask(
        all commands: [RedisCommand], file: StaticString = #fileID, line: UInt = #line
    ) async throws(StoreUnavailable) -> [RedisReply] {
        let results: [Result<RedisReply, RedisError>]
        do throws(RedisError) {
            results = try await self.results(of: commands)
        } catch {
            throw StoreUnavailable(error, file: file, line: line)
        }
        var replies: [RedisReply] = []
        for (command, result) in zip(commands, results) {
            switch result {
            case .success(let reply): replies.append(reply)
            case .failure(let error): throw StoreUnavailable(error, keys: command.keyTexts, file: file, line: line)
            }
        }
        return replies
    }

    /// The same of records that people may have damaged: what is of another type than the command is for counts as
    /// missing, so that one such record hides neither other ones nor other users'.
    func askOfAnyType(
        all commands: [RedisCommand], file: StaticString = #fileID, line: UInt = #line
    ) async throws(StoreUnavailable) -> [RedisReply] {
        var replies: [RedisReply] = []
        do throws(RedisError) {
            for result in try await results(of: commands) {
                if case .failure(.server(kind: StoreErrorCode.wrongType.rawValue, message: _)) = result {
                    replies.append(.null)
                } else {
                    replies.append(try result.get())
                }
            }
        } catch {
            throw StoreUnavailable(error, file: file, line: line)
        }
        return replies
    }

    /// The same of scripts.
    func ask(
        all calls: [RedisScript.Call], file: StaticString = #fileID, line: UInt = #line
    ) async throws(StoreUnavailable) -> [RedisReply] {
        guard !calls.isEmpty else { return [] }
        let results: [Result<RedisReply, RedisError>]
        do throws(RedisError) {
            results = try await call(inBackground: true) { link, identifier, waiter in
                let replies = Replies(count: calls.count)
                for (index, call) in calls.enumerated() {
                    link.run(call, identifier: identifier) { result in
                        if replies.add(result, at: index) { waiter(.success(replies.all)) }
                    }
                }
            }
        } catch {
            throw StoreUnavailable(error, file: file, line: line)
        }
        var replies: [RedisReply] = []
        for (call, result) in zip(calls, results) {
            switch result {
            case .success(let reply): replies.append(reply)
            case .failure(let error): throw StoreUnavailable(error, keys: call.keys, file: file, line: line)
            }
        }
        return replies
    }

    /// The same for a caller whom each failure interests.
    ///
    /// - Throws: Why nothing was sent.
    func results(of commands: [RedisCommand]) async throws(RedisError) -> [Result<RedisReply, RedisError>] {
        guard !commands.isEmpty else { return [] }
        return try await call(inBackground: true) { link, identifier, waiter in
            let replies = Replies(count: commands.count)
            for (index, command) in commands.enumerated() {
                link.send(command, identifier: identifier) { result in
                    if replies.add(result, at: index) { waiter(.success(replies.all)) }
                }
            }
        }
    }
}

/// The replies that have come so far. Confined to its link's event loop.
private final class Replies {
    private var results: [Result<RedisReply, RedisError>?]
    private var missing: Int

    init(count: Int) {
        results = Array(repeating: nil, count: count)
        missing = count
    }

    var all: [Result<RedisReply, RedisError>] { results.compactMap(\.self) }

    /// - Returns: Whether it was the last one.
    func add(_ result: Result<RedisReply, RedisError>, at index: Int) -> Bool {
        results[index] = result
        missing -= 1
        return missing == 0
    }
}
