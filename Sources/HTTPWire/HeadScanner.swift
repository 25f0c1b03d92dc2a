import NIOCore

/// Finds the end of a head in bytes that come in any portions, each of which is looked at once.
package struct HeadScanner: Sendable {
    private let limitBytes: Int
    private var scanned = 0
    private var lineStart = 0

    package init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// The length of the head with the empty line that ends it. Nil when more bytes are needed.
    ///
    /// - Parameter bytes: All that has come since the head began.
    package mutating func end(in bytes: ByteBuffer) throws(MessageProblem) -> Int? {
        let span = bytes.readableBytesUInt8Span
        // Another protocol, such as TLS, may never come to a line's end.
        if scanned == 0, span.count > 0, !span[0].isTokenByte, span[0] != .carriageReturn { throw .startLine }
        var index = scanned
        while index < span.count {
            guard span[index] == .lineFeed else {
                index += 1
                continue
            }
            guard index > lineStart, span[index - 1] == .carriageReturn else { throw .bareLineFeed }
            if index == lineStart + 1, index > 1 {
                guard index < limitBytes else { throw .headTooLarge }
                self = HeadScanner(limitBytes: limitBytes)
                return index + 1
            }
            lineStart = index + 1
            index += 1
        }
        guard index < limitBytes else { throw .headTooLarge }
        scanned = index
        return nil
    }
}
