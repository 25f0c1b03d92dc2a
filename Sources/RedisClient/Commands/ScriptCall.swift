package import Hiredis
package import NIOCore

/// A call of a script: it writes itself straight into the bytes that leave next. Used on the connection's event loop
/// alone.
package protocol ScriptCall {
    var script: RedisScript { get }

    /// What stands in braces in all of its keys, or its key where that has no braces: in a cluster it decides which server
    /// the call is for. Nil without a key.
    var hashTag: String? { get }

    /// At most 9 on the hot path.
    var keyCount: Int { get }

    /// Arguments after the keys.
    var argumentCount: Int { get }

    /// Writes ``keyCount`` keys, each with one of the `writeArgument` functions of `ByteBuffer` or in the same form.
    func writeKeys(to buffer: inout ByteBuffer)

    /// Writes ``argumentCount`` arguments in the same way.
    func writeArguments(to buffer: inout ByteBuffer)
}

/// A call of the hot path: it takes a few integers for an answer, and is told them itself.
package protocol DirectScriptCall: AnyObject, ScriptCall {
    /// Called once. Success has nil for a reply that is no flat array of a few integers.
    func finish(_ result: Result<IntegerReply?, RedisError>)
}

extension ScriptCall {
    /// Writes the whole command.
    ///
    /// - Parameters:
    ///   - bringsText: Whether the script is called by its text. Else by its name.
    ///   - bearsWitness: Whether the key that never exists is declared, too.
    /// - Throws: ``RedisError/commandTooLong(byteCount:)``. Nothing is written then.
    func write(
        bringsText: Bool, bearsWitness: Bool, to buffer: inout ByteBuffer
    ) throws(RedisError) {
        let start = buffer.writerIndex
        let witness = bearsWitness ? hashTag : nil
        let keyCount = keyCount + (witness == nil ? 0 : 1)
        buffer.writeCommandStart(argumentCount: 3 + keyCount + argumentCount)
        buffer.writeImmutableBuffer(bringsText ? script.startByText : script.startByName)
        buffer.writeArgument(keyCount)
        writeKeys(to: &buffer)
        if let witness {
            buffer.writeArgument(parts: MigrationWitness.prefix, witness, MigrationWitness.suffix)
        }
        writeArguments(to: &buffer)
        let byteCount = buffer.writerIndex - start
        guard byteCount <= RedisCommand.maximumBytes else {
            buffer.moveWriterIndex(to: start)
            throw .commandTooLong(byteCount: byteCount)
        }
    }
}
