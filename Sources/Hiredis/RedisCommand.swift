import CHiredis

/// A command and its arguments, encoded by hiredis' `redisFormatCommandArgv`.
///
/// The arguments stand end to end in one array, so that a command costs two allocations however many it has.
package struct RedisCommand: Sendable, Hashable {
    /// hiredis counts in `int`; nothing that Tollgate sends comes near.
    package static let maximumBytes = 16 * 1024 * 1024

    private var text: [UInt8] = []
    private var lengths: [Int] = []

    package init(_ arguments: String...) {
        self.init(arguments: arguments)
    }

    package init(arguments: some Sequence<String>) {
        for argument in arguments { append(argument) }
    }

    /// Room for `arguments` arguments of `bytes` bytes together, so that appending does not grow step by step.
    package init(reservingArguments arguments: Int, bytes: Int) {
        text.reserveCapacity(bytes)
        lengths.reserveCapacity(arguments)
    }

    package mutating func append(_ argument: String) {
        let before = text.count
        text.append(contentsOf: argument.utf8)
        lengths.append(text.count - before)
    }

    package mutating func append(_ argument: [UInt8]) {
        text += argument
        lengths.append(argument.count)
    }

    package mutating func append(_ argument: some BinaryInteger) {
        append(String(argument))
    }

    /// The argument at `place`, the command's name being at 0. Nil behind the last one.
    package func argument(at place: Int) -> ArraySlice<UInt8>? {
        guard lengths.indices.contains(place) else { return nil }
        let start = lengths[..<place].reduce(0, +)
        return text[start..<start + lengths[place]]
    }

    /// Calls `body` with the command as it goes over the wire. The bytes are gone when `body` returns.
    ///
    /// - Throws: ``CommandTooLong``
    package func withEncoded<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(CommandTooLong) -> Result {
        guard text.count <= Self.maximumBytes else { throw CommandTooLong(byteCount: text.count) }
        var encoded: UnsafeMutablePointer<CChar>?
        let length = unsafe format(into: &encoded)
        guard length > 0, let encoded = unsafe encoded else { fatalError("hiredis: out of memory") }
        // Unsafe: hiredis has allocated `length` bytes, which are read below and freed once.
        defer { unsafe redisFreeCommand(encoded) }
        return unsafe body(UnsafeRawBufferPointer(start: encoded, count: length))
    }

    private func format(into encoded: inout UnsafeMutablePointer<CChar>?) -> Int {
        unsafe text.withUnsafeBytes { bytes in
            // Unsafe: every pointer lies inside `text`, which is held for the duration of the call. An empty argument
            // may point past the last byte; hiredis reads none of it.
            let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            var argumentPointers = unsafe lengths.map { length -> UnsafePointer<CChar>? in
                defer { offset += length }
                return unsafe base.map { unsafe $0 + offset } ?? Self.emptyArgument
            }
            let length = unsafe redisFormatCommandArgv(
                &encoded, Int32(lengths.count), &argumentPointers, lengths)
            return Int(length)
        }
    }

    // Unsafe: one byte that is never written or freed; it stands in where every argument of a command is empty.
    private static nonisolated(unsafe) let emptyArgument: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        unsafe byte.initialize(to: 0)
        return unsafe UnsafePointer(byte)
    }()
}

/// The arguments of a command are longer than ``RedisCommand/maximumBytes`` together.
package struct CommandTooLong: Error, Sendable, Hashable {
    package let byteCount: Int

    package init(byteCount: Int) { self.byteCount = byteCount }
}
