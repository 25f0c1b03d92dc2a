import Hiredis
import Libcrypto
package import NIOCore

/// A Lua script that Redis runs in one step. Redis keeps its text by its SHA-1 after the first run.
package struct RedisScript: Sendable, Hashable {
    package let source: String

    /// The name that EVALSHA calls it by: 40 hexadecimal digits.
    let sha1: String

    /// How a call of it begins on the wire, by its name and by its text: what comes before the number of keys.
    let startByName: ByteBuffer
    let startByText: ByteBuffer

    package init(source: String) {
        self.source = source
        sha1 = SHA1.hexDigest(source)
        startByName = Self.start("EVALSHA", sha1)
        startByText = Self.start("EVAL", source)
    }

    private static func start(_ command: String, _ script: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeArgument(command)
        buffer.writeArgument(script)
        return buffer
    }
}

extension RedisScript {
    /// A call of a script outside of the hot path: its keys and arguments are put together beforehand.
    package struct Call: Sendable, ScriptCall {
        package let script: RedisScript
        package let keys: [String]
        private let arguments: [Argument]

        /// Redis' strings are bytes.
        package enum Argument: Sendable {
            case text(String)
            case bytes([UInt8])
        }

        package init(_ script: RedisScript, keys: [String], arguments: [String]) {
            self.init(script, keys: keys, mixed: arguments.map(Argument.text))
        }

        package init(_ script: RedisScript, keys: [String], mixed arguments: [Argument]) {
            self.script = script
            self.keys = keys
            self.arguments = arguments
        }

        package var keyCount: Int { keys.count }
        package var argumentCount: Int { arguments.count }

        package var hashTag: String? {
            keys.first.map { key in HashSlot.tag(of: key.utf8).map { String(decoding: $0, as: UTF8.self) } ?? key }
        }

        package func writeKeys(to buffer: inout ByteBuffer) {
            for key in keys { buffer.writeArgument(key) }
        }

        package func writeArguments(to buffer: inout ByteBuffer) {
            for argument in arguments {
                switch argument {
                case .text(let text): buffer.writeArgument(text)
                case .bytes(let bytes): buffer.writeArgument(bytes: bytes)
                }
            }
        }
    }
}
