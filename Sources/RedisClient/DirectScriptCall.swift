import Hiredis
import NIOCore

/// A call of a script on the hot path: it writes itself straight into the bytes that leave next, and takes a few
/// integers for an answer. Used on the connection's event loop alone.
package protocol DirectScriptCall: AnyObject {
    var script: RedisScript { get }

    /// At most 9.
    var keyCount: Int { get }

    /// Arguments after the keys.
    var argumentCount: Int { get }

    /// Writes ``keyCount`` keys and then ``argumentCount`` arguments, each with one of the `writeArgument` functions of
    /// `ByteBuffer` or in the same form.
    func writeKeysAndArguments(to buffer: inout ByteBuffer)

    /// Called once. Success has nil for a reply that is no flat array of a few integers.
    func finish(_ result: Result<IntegerReply?, RedisError>)
}

extension DirectScriptCall {
    /// Writes the whole command.
    ///
    /// - Parameter start: ``RedisScript/startByName`` or ``RedisScript/startByText``.
    fileprivate func write(_ start: ByteBuffer, to buffer: inout ByteBuffer) {
        buffer.writeCommandStart(argumentCount: 3 + keyCount + argumentCount)
        buffer.writeImmutableBuffer(start)
        buffer.writeArgument(keyCount)
        writeKeysAndArguments(to: &buffer)
    }
}

extension RedisConnection {
    /// Runs a script by its name, and by its text when Redis does not know it, like the other
    /// ``run(_:identifier:waiter:)``. Call on the event loop.
    package func run(_ call: any DirectScriptCall, identifier: UInt64 = 0) {
        send(identifier: identifier, write: { call.write(call.script.startByName, to: &$0) }) { result in
            guard case .failure(.server(kind: "NOSCRIPT", _)) = result else { return call.finish(result) }
            self.send(
                identifier: identifier, write: { call.write(call.script.startByText, to: &$0) }, waiter: call.finish)
        }
    }
}
