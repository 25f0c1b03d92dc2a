import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// Where in the head of a request keys of this gateway stand, so that none of them reaches an upstream: `Authorization`
/// and `X-API-Key` stay here when anything in them begins like a key; in every other field and in the target a whole key
/// is replaced. One look at the head, and only at what is carried on.
struct KeysInHead {
    /// What stands in a key's place.
    static let replacement = "withheld"

    /// Fields that stay with the gateway.
    private(set) var withheld: WithheldFields

    /// Keys in other places, from first to last.
    private var strays: [Range<Int>] = []

    /// - Parameter opener: The field with the key that opened the gateway. None when no key did.
    init(_ head: RequestHead, opener: WithheldFields) {
        withheld = opener
        let fields = head.fields
        let bytes = fields.bytes.readableBytesUInt8Span
        // In a field that is withheld whole there is nothing to be looked for.
        let known = opener.isEmpty ? [] : fields.lines.filter { opener.hold($0.kind) }
        fields.bytes.forEachPlace(of: KeyTrace.underscore) { place in
            if known.contains(where: { $0.whole.contains(place) }) { return }
            guard let trace = KeyTrace(in: bytes, underscoreAt: place) else { return }
            let line = fields.lines.first { $0.whole.contains(trace.range.lowerBound) }
            switch line?.kind {
            case .authorization: withheld.insert(.authorization)
            case .apiKey: withheld.insert(.apiKey)
            default: if trace.isWhole { strays.append(trace.range) }
            }
        }
        if !withheld.contains(.authorization), Self.isInBasic(fields) { withheld.insert(.authorization) }
    }

    /// In base64 a key looks like nothing.
    private static func isInBasic(_ fields: FieldSection) -> Bool {
        fields.lines.contains { line in
            line.kind == .authorization && (fields.value(of: line, begins: "basic") || isList(line, of: fields))
                && PresentedCredential.holdsKey(fields.value(of: line))
        }
    }

    private static func isList(_ line: FieldLine, of fields: FieldSection) -> Bool {
        let bytes = fields.bytes.readableBytesUInt8Span
        for index in line.whole where bytes[index] == UInt8(ascii: ",") { return true }
        return false
    }

    /// The head and what the upstream is asked for, with no key in them but in what is withheld.
    ///
    /// - Throws: 400 when a key stands in the host, whose name nothing can take the place of.
    func withoutStrays(
        _ head: RequestHead, uri: String, host: String
    ) throws(APIError) -> (head: RequestHead, uri: String) {
        guard !strays.isEmpty else { return (head, uri) }
        guard !KeyTrace.isIn(Array(host.utf8)) else {
            throw .badRequest("An API key stands in Host. Send it in X-API-Key.")
        }
        do throws(MessageProblem) {
            let clean = try head.replacing(strays, with: Self.replacement)
            return (clean, KeyTrace.replacingKeys(in: uri, with: Self.replacement))
        } catch {
            throw .badRequest("A key stands where it cannot be taken out. Send it in X-API-Key.")
        }
    }
}
