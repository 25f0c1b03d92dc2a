import Hiredis
import RedisClient
import TollgateCore

extension RedisClient {
    /// Sends a command on behalf of the domain, which knows of one failure only.
    func ask(
        _ command: RedisCommand, file: StaticString = #fileID, line: UInt = #line
    ) async throws(StoreUnavailable) -> RedisReply {
        do { return try await execute(command) } catch {
            throw StoreUnavailable(error, keys: command.keyTexts, file: file, line: line)
        }
    }

    /// Runs a script on behalf of the domain.
    func ask(
        _ call: RedisScript.Call, file: StaticString = #fileID, line: UInt = #line
    ) async throws(StoreUnavailable) -> RedisReply {
        do { return try await run(call) } catch {
            throw StoreUnavailable(error, keys: call.keys, file: file, line: line)
        }
    }
}

extension RedisCommand {
    /// What the command is about, for errors. Only of commands that name one key, as nearly all do.
    var keyTexts: [String] { argument(at: 1).map { [String(decoding: $0, as: UTF8.self)] } ?? [] }
}

extension RedisScript {
    /// A script that was embedded by the build.
    ///
    /// - Parameter prelude: What stands before it, for what several scripts have in common.
    init(resource: [UInt8], prelude: [UInt8] = []) {
        self.init(source: String(decoding: prelude + resource, as: UTF8.self))
    }
}

extension StoreUnavailable {
    /// What an error of the client means to the domain.
    ///
    /// - Parameter keys: What the command was about, where its error may be one of these.
    init(_ error: RedisError, keys: [String] = [], file: StaticString = #fileID, line: UInt = #line) {
        let cause: Cause =
            switch error {
            case .server(_, let message) where error.leavesServerUsable:
                .answeredError(StoreErrorCode(in: message))
            // It was never sent, and would not be another time either.
            case .commandTooLong: .answeredError(.other)
            default: .unreachable
            }
        let isOfOneKey = cause == .answeredError(.wrongType) && !keys.isEmpty
        self.init(
            cause, origin: isOfOneKey ? KeyedFailure(error: error, keys: keys) : error, mayBeDone: error.mayBeDone,
            file: file, line: line)
    }

    /// An error that one of `keys` is to blame for.
    private struct KeyedFailure: Error, CustomStringConvertible {
        let error: RedisError
        let keys: [String]

        var description: String { "\(error) (\(keys.joined(separator: " ")))" }
    }

    /// `sender` answered something that this version does not know.
    static func unexpectedReply(
        of sender: String, file: StaticString = #fileID, line: UInt = #line
    ) -> Self {
        StoreUnavailable(origin: UnexpectedReply(sender: sender), file: file, line: line)
    }

    private struct UnexpectedReply: Error, CustomStringConvertible {
        let sender: String

        var description: String { "\(sender) answered in another form than this version knows" }
    }

    /// A script has found that `time`, which the worker gave it, is not the time of Redis.
    static func clockDiffers(
        at time: UnixTime, file: StaticString = #fileID, line: UInt = #line
    ) -> Self {
        StoreUnavailable(.clockDiffers, origin: ClockDiffers(time: time), file: file, line: line)
    }

    private struct ClockDiffers: Error, CustomStringConvertible {
        let time: UnixTime

        var description: String { "the worker's time, \(time.iso8601), is not that of Redis" }
    }
}

extension StoreErrorCode {
    /// How it is said within a script what is `NOPERM` elsewhere: by Redis before 7.2, and by later ones and Valkey.
    static let noPermissionInScript = ["The user executing the script can't", "ACL failure in script"]

    /// The code stands at the beginning; before Redis 7, an error within a script stands somewhere behind it.
    fileprivate init(in message: String) {
        let code = Self.allCases.first { $0 != .other && message.contains($0.rawValue) }
        self = code ?? (Self.noPermissionInScript.contains { message.contains($0) } ? .noPermission : .other)
    }
}

extension RedisError {
    /// The command was sent, and what became of it is not known.
    fileprivate var mayBeDone: Bool {
        switch self {
        case .timedOut, .connectionLost, .cancelled: true
        // A script that is answered with an error has written nothing: what could fail is tried before the first write.
        case .notConnected, .stalled, .queueFull, .server, .commandTooLong, .closed: false
        }
    }
}
