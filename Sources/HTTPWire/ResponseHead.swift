package import NIOCore

/// The head of an answer, as an upstream sent it.
package struct ResponseHead: Sendable {
    package let status: Int
    package let fields: FieldSection
    package let framing: BodyFraming

    /// Whether the upstream takes another request on the same connection.
    package let isKeptAlive: Bool
    package let isHTTP10: Bool

    /// Whether `Content-Length` is one: of an answer without a body it tells of the body that another would have.
    package let statesLength: Bool
    private let reason: Range<Int>

    /// - Parameters:
    ///   - bytes: The whole head, as ``HeadScanner`` has found it.
    ///   - isAnswerToHead: The request was HEAD, so there is no body whatever the fields say.
    package init(
        parsing bytes: ByteBuffer, isAnswerToHead: Bool, maximumFields: Int = FieldSection.maximumFields
    ) throws(MessageProblem) {
        let line = try StatusLine(bytes)
        fields = try FieldSection.ofAnswer(bytes, from: line.end, maximumFields: maximumFields)
        status = line.status
        reason = line.reason
        isHTTP10 = line.isHTTP10
        if isAnswerToHead || status < 200 || status == 204 || status == 304 {
            // Such an answer ends with its head, whatever its fields say (RFC 9112, section 6.3).
            framing = .none
            statesLength =
                if case .length? = try? BodyFraming.stated(fields, isHTTP10: isHTTP10) { true } else { false }
        } else {
            framing = try BodyFraming.stated(fields, isHTTP10: isHTTP10) ?? .untilClose
            statesLength = if case .length = framing { true } else { false }
        }
        let asked = line.isHTTP10 ? fields.connectionLists("keep-alive") : !fields.connectionLists("close")
        isKeptAlive = asked && framing != .untilClose
    }

    /// Whether `bytes` may be the beginning of an answer, as far as they go.
    package static func mayBegin(with bytes: ByteBuffer) -> Bool {
        let span = bytes.readableBytesUInt8Span
        var index = 0
        for expected in "HTTP/1.".utf8 where index < span.count {
            guard span[index] == expected else { return false }
            index += 1
        }
        return true
    }

    /// Appends `HTTP/1.1 <status> <reason>` and the line's end.
    package func writeStatusLine(to buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeDecimal(status)
        buffer.writeInteger(UInt8(ascii: " "))
        buffer.write(fields.bytes, reason)
        buffer.writeLineEnd()
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ] CRLF` (RFC 9112, section 4).
private struct StatusLine {
    let status: Int
    let isHTTP10: Bool
    let reason: Range<Int>
    let end: Int

    init(_ bytes: ByteBuffer) throws(MessageProblem) {
        let span = bytes.readableBytesUInt8Span
        guard span.count > 14, span.isText("HTTP/1.", at: 0), span[8] == 0x20 else { throw .startLine }
        switch span[7] {
        case UInt8(ascii: "1"): isHTTP10 = false
        case UInt8(ascii: "0"): isHTTP10 = true
        default: throw .version
        }
        guard span[9].isDigit, span[10].isDigit, span[11].isDigit else { throw .startLine }
        status = (9...11).reduce(0) { $0 * 10 + Int(span[$1] - UInt8(ascii: "0")) }
        guard (100...599).contains(status) else { throw .startLine }
        // Some servers leave out the blank together with the reason.
        var index = 12
        if span[index] == 0x20 { index += 1 } else if span[index] != .carriageReturn { throw .startLine }
        let start = index
        while span[index].isFieldValueByte { index += 1 }
        guard span[index] == .carriageReturn, span[index + 1] == .lineFeed else { throw .startLine }
        reason = start..<index
        end = index + 2
    }
}
