import HTTPWire
import NIOCore
import TollgateCore

/// What the access log says of one request. It holds no query, no field of the request and no body: secrets stand in
/// those.
package struct AccessLine: Sendable, Hashable {
    /// What the answer's `X-Request-Id` says.
    package var requestID: String

    /// Nil of what was not understood.
    package var method: String?

    /// What was asked for; what follows the path is left out where it is written.
    package var target: String?

    /// The name of the route, or of what else of the data plane it was for.
    package var route: String?
    package var user: String?
    package var plan: String?

    /// `admitted`, `replayed`, `degraded`, `open`, `answered`, `client-gone`, `cut-off`, or the code of a refusal.
    package var verdict: String

    /// Of the answer; 0 when there was none.
    package var status: Int

    /// `host:port` of the upstream that was asked last.
    package var upstream: String?

    /// From the head of the request to the end of the answer.
    package var nanoseconds: Int64 = 0

    /// Of it, the part that belongs to the upstreams.
    package var upstreamNanoseconds: Int64?

    /// Of the body that was passed on or read.
    package var requestBytes = 0

    /// Of the body of the answer.
    package var answerBytes = 0

    /// For a fault that is not the caller's.
    package var cause: String?

    package init(requestID: String, status: Int, verdict: String) {
        (self.requestID, self.status, self.verdict) = (requestID, status, verdict)
    }

    /// How the lines look.
    package enum Format: String, Sendable, Hashable, CaseIterable {
        /// For people.
        case text
        /// One object a line.
        case json
    }
}

// MARK: - Writing

extension AccessLine {
    /// Bytes of what may come from outside.
    private static let longestPath = 256
    private static let longestCause = 512

    /// Of all names and numbers in a line, and what stands between them.
    private static let fixedRoom = 512

    /// Appends the line, with its end.
    func write(to buffer: inout ByteBuffer, at time: UnixTime, as format: Format) {
        let path = target.map(Self.loggedPath)
        let texts = [requestID, method, path, route, user, plan, verdict, upstream].compactMap(\.self)
        let cause = cause.map { String($0.prefix(Self.longestCause)) }
        // Escaped, a byte takes six at most. Names of routes, users and plans take one; that is seen when they are written.
        let room = texts.reduce(6 * (cause?.utf8.count ?? 0)) { $0 + 6 * $1.utf8.count } + Self.fixedRoom
        buffer.writeText(room: room) { line in
            switch format {
            case .json: writeJSON(path, cause, at: time, to: &line)
            case .text: writeText(path, cause, at: time, to: &line)
            }
        }
    }

    private func writeJSON(_ path: String?, _ cause: String?, at time: UnixTime, to line: inout TextWriter) {
        line.text("{\"time\":\"")
        line.moment(time)
        line.text("\",\"level\":\"info\",\"message\":\"request\"")
        line.member(",\"requestId\":\"", requestID)
        line.member(",\"method\":\"", method)
        line.member(",\"path\":\"", path)
        line.text(",\"status\":")
        line.decimal(status)
        line.member(",\"verdict\":\"", verdict)
        line.member(",\"route\":\"", route)
        line.member(",\"user\":\"", user)
        line.member(",\"plan\":\"", plan)
        line.member(",\"upstream\":\"", upstream)
        line.text(",\"durationMs\":")
        line.milliseconds(nanoseconds)
        if let upstreamNanoseconds {
            line.text(",\"upstreamMs\":")
            line.milliseconds(upstreamNanoseconds)
        }
        line.text(",\"requestBytes\":")
        line.decimal(requestBytes)
        line.text(",\"answerBytes\":")
        line.decimal(answerBytes)
        line.member(",\"cause\":\"", cause)
        line.text("}\n")
    }

    private func writeText(_ path: String?, _ cause: String?, at time: UnixTime, to line: inout TextWriter) {
        line.moment(time)
        line.text(" ")
        line.escaped(method ?? "-")
        line.text(" ")
        line.escaped(path ?? "-")
        line.text(" ")
        line.decimal(status)
        line.text(" ")
        line.escaped(verdict)
        line.text(" ")
        line.milliseconds(nanoseconds)
        line.text("ms")
        line.word(" route=", route)
        line.word(" user=", user)
        line.word(" plan=", plan)
        line.word(" upstream=", upstream)
        if let upstreamNanoseconds {
            line.text(" upstreamMs=")
            line.milliseconds(upstreamNanoseconds)
        }
        line.text(" requestBytes=")
        line.decimal(requestBytes)
        line.text(" answerBytes=")
        line.decimal(answerBytes)
        line.word(" requestId=", requestID)
        if let cause {
            line.text(" cause=\"")
            line.escaped(cause)
            line.text("\"")
        }
        line.text("\n")
    }

    /// What is told of ``target``.
    package var loggedPath: String? { target.map(Self.loggedPath) }

    /// Of tickets, and of tokens for the admin port.
    private static let secretBeginnings = [Ticket.prefix, "tga_"]

    /// The path without its query, cut, and without what begins like a key, a ticket or a token.
    static func loggedPath(_ target: String) -> String {
        var end = target.utf8.startIndex
        var (length, hasUnderscore, hasCapitalJ) = (0, false, false)
        while end < target.utf8.endIndex, length < longestPath {
            let byte = target.utf8[end]
            if byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { break }
            if byte == KeyTrace.underscore { hasUnderscore = true }
            if byte == UInt8(ascii: "J") { hasCapitalJ = true }
            target.utf8.formIndex(after: &end)
            length += 1
        }
        let path = String(target.utf8[..<end]) ?? String(decoding: target.utf8[..<end], as: UTF8.self)
        if hasUnderscore, KeyTrace.isIn(Array(path.utf8)) || secretBeginnings.contains(where: path.contains) {
            return "[a path with a key]"
        }
        // A session token.
        return hasCapitalJ && path.contains("eyJ") ? "[a path with a token]" : path
    }
}

extension TextWriter {
    /// `2026-11-25T01:30:01.123Z`
    fileprivate mutating func moment(_ time: UnixTime) {
        let (date, minute, second) = time.iso8601Words
        bytes(date)
        bytes(minute)
        // `:01Z`, whose last byte makes room for the milliseconds.
        for shift in [24, 16, 8] { byte(UInt8(truncatingIfNeeded: second >> UInt32(shift))) }
        byte(UInt8(ascii: "."))
        digits(Int(time.milliseconds - time.seconds * 1000))
        byte(UInt8(ascii: "Z"))
    }

    private mutating func bytes(_ word: UInt64) {
        var shift: UInt64 = 56
        while true {
            byte(UInt8(truncatingIfNeeded: word >> shift))
            if shift == 0 { return }
            shift -= 8
        }
    }

    /// Three of them.
    private mutating func digits(_ number: Int) {
        byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 100 % 10))
        byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10 % 10))
        byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }

    /// With microseconds, such as `1.234`.
    fileprivate mutating func milliseconds(_ nanoseconds: Int64) {
        let microseconds = Int(max(nanoseconds, 0) / 1000)
        decimal(microseconds / 1000)
        byte(UInt8(ascii: "."))
        digits(microseconds % 1000)
    }

    /// A member of an object, if there is a value.
    fileprivate mutating func member(_ beginning: StaticString, _ value: String?) {
        guard let value else { return }
        text(beginning)
        escaped(value)
        byte(UInt8(ascii: "\""))
    }

    fileprivate mutating func word(_ beginning: StaticString, _ value: String?) {
        guard let value else { return }
        text(beginning)
        escaped(value)
    }

    /// As in a string of JSON. Nearly always there is nothing to be escaped.
    fileprivate mutating func escaped(_ value: String) {
        if value.utf8.allSatisfy(Self.standsForItself) { return text(value) }
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                self.byte(UInt8(ascii: "\\"))
                self.byte(byte)
            case 0..<0x20, 0x7f:
                text("\\u00")
                self.byte(Self.hexadecimal[Int(byte >> 4)])
                self.byte(Self.hexadecimal[Int(byte & 0xF)])
            default: self.byte(byte)
            }
        }
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    private static func standsForItself(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
