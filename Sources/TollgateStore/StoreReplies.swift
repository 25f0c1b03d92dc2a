import Hiredis
import RedisClient
import TollgateCore

extension RedisClient {
    /// Sends a command on behalf of the domain, which knows of one failure only.
    func ask(_ command: RedisCommand) async throws(StoreUnavailable) -> RedisReply {
        do { return try await execute(command) } catch { throw StoreUnavailable(reason: "\(error)") }
    }

    /// Runs a script on behalf of the domain.
    func ask(_ call: RedisScript.Call) async throws(StoreUnavailable) -> RedisReply {
        do { return try await run(call) } catch { throw StoreUnavailable(reason: "\(error)") }
    }
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
    /// `sender` answered something that this version does not know.
    static func unexpectedReply(of sender: String) -> Self {
        StoreUnavailable(reason: "\(sender) answered in another form than this version knows")
    }
}
