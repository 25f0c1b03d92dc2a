import Hiredis
import Libcrypto
import NIOCore

/// A Lua script that Redis runs in one step. Redis keeps its text by its SHA-1 after the first run.
package struct RedisScript: Sendable, Hashable {
    package let source: String

    /// The name that EVALSHA calls it by: 40 hexadecimal digits.
    package let sha1: String

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

    /// A call of the script: keys, then other arguments.
    package struct Call: Sendable {
        fileprivate let script: RedisScript
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

        /// - Parameter bearsWitness: Whether the key that never exists is declared, too.
        func bySHA1(bearsWitness: Bool) -> RedisCommand { command("EVALSHA", script.sha1, bearsWitness) }
        func byText(bearsWitness: Bool) -> RedisCommand { command("EVAL", script.source, bearsWitness) }

        private func command(_ name: String, _ script: String, _ bearsWitness: Bool) -> RedisCommand {
            let witness = bearsWitness ? keys.first.flatMap { MigrationWitness.name(beside: $0) } : nil
            let keys = self.keys + [witness].compactMap(\.self)
            var command = RedisCommand(
                reservingArguments: 3 + keys.count + arguments.count, bytes: 512 + script.utf8.count)
            command.append(name)
            command.append(script)
            command.append(keys.count)
            for key in keys { command.append(key) }
            for argument in arguments {
                switch argument {
                case .text(let text): command.append(text)
                case .bytes(let bytes): command.append(bytes)
                }
            }
            return command
        }
    }
}

extension RedisConnection {
    /// Runs a script by its name, and by its text when Redis does not know it: after a `SCRIPT FLUSH`, or where the text
    /// could not be told in the handshake. One call brings the text for all. Nothing has run when Redis answers NOSCRIPT,
    /// so this repeats nothing. Call on the event loop.
    package func run(_ call: RedisScript.Call, identifier: UInt64 = 0, waiter: @escaping Waiter) {
        send(call.bySHA1(bearsWitness: isClusterNode), identifier: identifier) { result in
            guard result.isUnknownScript else { return waiter(result) }
            guard !self.beginsToSend(call.script) else {
                return self.sendText(call, identifier: identifier, waiter: waiter)
            }
            self.send(call.bySHA1(bearsWitness: self.isClusterNode), identifier: identifier) { result in
                guard result.isUnknownScript else { return waiter(result) }
                // What brought the text has failed.
                self.send(call.byText(bearsWitness: self.isClusterNode), identifier: identifier, waiter: waiter)
            }
        }
    }

    private func sendText(_ call: RedisScript.Call, identifier: UInt64, waiter: @escaping Waiter) {
        send(call.byText(bearsWitness: isClusterNode), identifier: identifier) { result in
            self.hasSent(call.script)
            waiter(result)
        }
    }
}

extension Result where Failure == RedisError {
    /// The script may be run, and Redis does not know its text.
    var isUnknownScript: Bool {
        if case .failure(let error) = self { error.isUnknownScript } else { false }
    }
}
