import Libcrypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a WebSocket's two ends say (RFC 6455), as far as a test needs it.
enum WebSocket {
    struct Frame: Equatable {
        enum Opcode: UInt8 {
            case text = 1
            case binary = 2
            case close = 8
        }

        let opcode: Opcode
        let payload: [UInt8]

        static func text(_ text: String) -> Frame { Frame(opcode: .text, payload: Array(text.utf8)) }

        /// Normal closure (section 7.4.1).
        static let close = Frame(opcode: .close, payload: [0x03, 0xe8])
    }

    static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    /// The fields with which a client asks for the change of protocol.
    static let asks =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: \(key)\r\n"

    /// What a server says to a client's key (section 4.2.2).
    static func accept(_ key: String) -> String {
        let digits = Array(SHA1.hexDigest(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        return Data(bytes).base64EncodedString()
    }

    /// A server's answer to a request that came to it.
    static func switching(_ request: String) -> String {
        let start = request.ranges(of: "Sec-WebSocket-Key: ").last?.upperBound ?? request.endIndex
        let key = request[start...].prefix { $0 != "\r\n" }
        return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(accept(String(key)))\r\n\r\n"
    }

    /// - Parameter mask: Clients send with one (section 5.3), servers without.
    static func bytes(_ frame: Frame, mask: [UInt8]? = nil) -> [UInt8] {
        let count = frame.payload.count
        let masked: UInt8 = mask == nil ? 0 : 0x80
        var bytes: [UInt8] = [0x80 | frame.opcode.rawValue]
        switch count {
        case ..<126: bytes.append(masked | UInt8(count))
        case ..<65_536: bytes += [masked | 126, UInt8(count >> 8), UInt8(count & 0xff)]
        default: bytes += [masked | 127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        }
        guard let mask else { return bytes + frame.payload }
        return bytes + mask + frame.payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    /// A client's frame, masked.
    static func client(_ frame: Frame) -> [UInt8] { bytes(frame, mask: [0x37, 0xfa, 0x21, 0x3d]) }

    /// The complete frames behind the head of a message.
    static func frames(in message: [UInt8]) -> [Frame] {
        guard let end = message.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return [] }
        var rest = message[end...]
        var frames: [Frame] = []
        while let (frame, next) = first(in: rest) {
            frames.append(frame)
            rest = next
        }
        return frames
    }

    private static func first(in bytes: ArraySlice<UInt8>) -> (Frame, ArraySlice<UInt8>)? {
        var rest = bytes
        guard let opcode = rest.popFirst(), let second = rest.popFirst() else { return nil }
        let extended = [126: 2, 127: 8][Int(second & 0x7f)] ?? 0
        guard rest.count >= extended else { return nil }
        let count = extended == 0 ? Int(second & 0x7f) : rest.prefix(extended).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(extended)
        let maskLength = second & 0x80 == 0 ? 0 : 4
        guard rest.count >= maskLength + count else { return nil }
        let mask = Array(rest.prefix(maskLength))
        let payload = rest.dropFirst(maskLength).prefix(count)
        let plain = mask.isEmpty ? Array(payload) : payload.enumerated().map { $1 ^ mask[$0 % 4] }
        guard let kind = Frame.Opcode(rawValue: opcode & 0x0f) else { return nil }
        return (Frame(opcode: kind, payload: plain), rest.dropFirst(maskLength + count))
    }
}
