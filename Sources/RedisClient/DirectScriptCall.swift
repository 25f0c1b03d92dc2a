import Hiredis
import NIOCore

/// A call of a script on the hot path: it writes itself straight into the bytes that leave next, and takes a few
/// integers for an answer. Used on the connection's event loop alone.
package protocol DirectScriptCall: AnyObject {
    var script: RedisScript { get }

    /// What stands in braces in all of its keys: in a cluster it decides which server the call is for.
    var hashTag: String { get }

    /// At most 9.
    var keyCount: Int { get }

    /// Arguments after the keys.
    var argumentCount: Int { get }

    /// Writes ``keyCount`` keys, each with one of the `writeArgument` functions of `ByteBuffer` or in the same form.
    func writeKeys(to buffer: inout ByteBuffer)

    /// Writes ``argumentCount`` arguments in the same way.
    func writeArguments(to buffer: inout ByteBuffer)

    /// Called once. Success has nil for a reply that is no flat array of a few integers.
    func finish(_ result: Result<IntegerReply?, RedisError>)
}

extension DirectScriptCall {
    /// Writes the whole command.
    ///
    /// - Parameters:
    ///   - start: ``RedisScript/startByName`` or ``RedisScript/startByText``.
    ///   - bearsWitness: Whether the key that never exists is declared, too.
    fileprivate func write(_ start: ByteBuffer, bearsWitness: Bool, to buffer: inout ByteBuffer) {
        let witnesses = bearsWitness ? 1 : 0
        buffer.writeCommandStart(argumentCount: 3 + keyCount + witnesses + argumentCount)
        buffer.writeImmutableBuffer(start)
        buffer.writeArgument(keyCount + witnesses)
        writeKeys(to: &buffer)
        if bearsWitness { buffer.writeArgument(parts: MigrationWitness.prefix, hashTag, MigrationWitness.suffix) }
        writeArguments(to: &buffer)
    }
}

extension RedisConnection {
    package func run(_ call: any DirectScriptCall, identifier: UInt64 = 0) {
        run(call, identifier: identifier) { call.finish($0) }
    }

    /// Runs a script by its name, and by its text when Redis does not know it, like the other
    /// ``run(_:identifier:waiter:)``. `finish` is told instead of the call. Call on the event loop.
    func run(
        _ call: any DirectScriptCall, identifier: UInt64,
        finish: @escaping (Result<IntegerReply?, RedisError>) -> Void
    ) {
        send(call, bringsText: false, identifier: identifier) { result in
            result.isUnknownScript ? self.runAgain(call, identifier: identifier, finish: finish) : finish(result)
        }
    }

    private func runAgain(
        _ call: any DirectScriptCall, identifier: UInt64,
        finish: @escaping (Result<IntegerReply?, RedisError>) -> Void
    ) {
        guard !beginsToSend(call.script) else {
            return send(call, bringsText: true, identifier: identifier) { result in
                self.hasSent(call.script)
                finish(result)
            }
        }
        send(call, bringsText: false, identifier: identifier) { result in
            guard result.isUnknownScript else { return finish(result) }
            // What brought the text has failed.
            self.send(call, bringsText: true, identifier: identifier, waiter: finish)
        }
    }

    private func send(
        _ call: any DirectScriptCall, bringsText: Bool, identifier: UInt64,
        waiter: @escaping (Result<IntegerReply?, RedisError>) -> Void
    ) {
        let bearsWitness = isClusterNode
        send(
            identifier: identifier,
            write: {
                call.write(
                    bringsText ? call.script.startByText : call.script.startByName, bearsWitness: bearsWitness, to: &$0)
            }, waiter: waiter)
    }
}
