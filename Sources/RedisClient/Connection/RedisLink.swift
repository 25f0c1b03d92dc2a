package import Hiredis
package import NIOCore

/// The client as one event loop has it: it sends each command to the server that the command is for. Of one server that
/// is a connection, of a cluster it has one to each server.
///
/// Everything but what says so is used on the event loop alone.
package protocol RedisLink: AnyObject, Sendable {
    var eventLoop: any EventLoop { get }

    /// Whether commands can be sent right now. Any thread.
    var isReady: Bool { get }

    /// Why they can not; empty while they can. Any thread.
    var lastFailure: String { get }

    /// What it consists of just now. Any thread.
    var connections: [RedisConnection] { get }

    /// Sends `command`. `waiter` is called once, on the event loop.
    func send(
        _ command: RedisCommand, identifier: UInt64, waiter: @escaping (Result<RedisReply, RedisError>) -> Void)

    /// Runs a script. `waiter` is told once, on the event loop.
    func run(_ call: any ScriptCall, identifier: UInt64, waiter: ReplyWaiter)

    /// Lets the caller of the commands under `identifier` go.
    func cancel(identifier: UInt64)

    /// Begins to connect.
    func start()

    /// Refuses new commands, answers those in flight, then closes. Takes little longer than a command may.
    func shutDown() -> EventLoopFuture<Void>

    /// The servers may be elsewhere by now: looks at once.
    func lookAgain()
}

extension RedisLink {
    package func send(_ command: RedisCommand, waiter: @escaping (Result<RedisReply, RedisError>) -> Void) {
        send(command, identifier: 0, waiter: waiter)
    }

    /// Runs a script. `waiter` is called once, on the event loop.
    package func run(
        _ call: RedisScript.Call, identifier: UInt64 = 0,
        waiter: @escaping (Result<RedisReply, RedisError>) -> Void
    ) {
        run(call, identifier: identifier, waiter: .reply(waiter))
    }

    /// Runs a script, and tells the call its outcome once, on the event loop.
    package func run(_ call: any DirectScriptCall, identifier: UInt64 = 0) {
        run(call, identifier: identifier, waiter: .call(call))
    }
}
