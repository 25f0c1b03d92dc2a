/// What a gateway does with a header field depends on its name alone. One look at each name, without allocation.
package enum FieldKind: UInt8, Sendable, Hashable {
    /// Passed on as it is, and of no further interest.
    case endToEnd

    /// `Connection`: names further fields of this hop.
    case connection

    /// Meant for the next hop only (RFC 9110, section 7.6.1).
    case hopByHop
    case te
    case upgrade
    case host
    case contentLength
    case transferEncoding
    case expect

    /// `X-Forwarded-For`.
    case forwardedFor

    /// `X-Forwarded-Host`.
    case forwardedHost

    /// `X-Forwarded-Proto`.
    case forwardedProto

    /// `Forwarded` (RFC 7239).
    case forwardedElements

    /// `X-Real-IP` and every other `X-Forwarded-…`: what proxies say about the client.
    case forwarded

    /// `X-Tollgate-…`: what only this gateway may say.
    case identity

    // Passed on, and read by the gateway too.
    case authorization
    case apiKey
    case idempotencyKey
    case requestID
    case origin

    /// `Sec-WebSocket-Protocol`.
    case webSocketProtocol

    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`, of an answer.
    case rateLimit
}

extension FieldKind {
    /// The kind of the field whose name stands at `range` of `bytes`, in whatever case.
    ///
    /// An underscore counts as a hyphen: CGI and WSGI applications cannot tell `X_Tollgate_User` from
    /// `X-Tollgate-User`, so a client could otherwise forge it.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        func folds(_ lowercase: StaticLowercase) -> Bool { bytes.foldsName(range, to: lowercase) }
        func begins(_ lowercase: StaticLowercase) -> Bool { bytes.beginsFolded(range, with: lowercase) }
        self =
            switch range.count {
            case 2 where folds("te"): .te
            case 4 where folds("host"): .host
            // Some CGI programs take a field `Proxy` for the variable HTTP_PROXY.
            case 5 where folds("proxy"): .hopByHop
            case 6: folds("expect") ? .expect : folds("origin") ? .origin : .endToEnd
            case 7 where folds("upgrade"): .upgrade
            case 9: Self.ofNine(folds)
            case 10: folds("connection") ? .connection : folds("keep-alive") ? .hopByHop : .endToEnd
            case 12 where folds("x-request-id"): .requestID
            case 13 where folds("authorization"): .authorization
            case 14 where folds("content-length"): .contentLength
            case 15 where folds("idempotency-key"): .idempotencyKey
            case 15 where folds("x-forwarded-for"): .forwardedFor
            case 16 where folds("proxy-connection"): .hopByHop
            case 16 where folds("ratelimit-policy"): .rateLimit
            case 16 where folds("x-forwarded-host"): .forwardedHost
            case 17 where folds("transfer-encoding"): .transferEncoding
            case 17 where folds("x-forwarded-proto"): .forwardedProto
            case 18 where folds("proxy-authenticate"): .hopByHop
            case 19 where folds("proxy-authorization"): .hopByHop
            case 22 where folds("sec-websocket-protocol"): .webSocketProtocol
            case 11... where begins("x-tollgate-"): .identity
            case 12... where begins("x-forwarded-"): .forwarded
            case 12... where begins("x-ratelimit-"): .rateLimit
            default: .endToEnd
            }
    }

    private static func ofNine(_ folds: (StaticLowercase) -> Bool) -> FieldKind {
        if folds("x-api-key") { return .apiKey }
        if folds("x-real-ip") { return .forwarded }
        if folds("forwarded") { return .forwardedElements }
        return folds("ratelimit") ? .rateLimit : .endToEnd
    }

    /// Whether a field of this kind belongs to one connection, so that each hop writes its own.
    package var isOfThisHop: Bool {
        switch self {
        case .connection, .hopByHop, .te, .upgrade, .transferEncoding: true
        default: false
        }
    }

    /// Whether a field of this kind tells of the client, in the words of whoever came before.
    package var tellsOfClient: Bool {
        switch self {
        case .forwarded, .forwardedFor, .forwardedHost, .forwardedProto, .forwardedElements: true
        default: false
        }
    }

    /// The kind of the field called `name`.
    package init(name: String) {
        let bytes = Array(name.utf8)
        self.init(bytes.span, 0..<bytes.count)
    }
}

/// A field's name in lower case, written in the source.
typealias StaticLowercase = String

extension Span<UInt8> {
    /// Whether the bytes at `range` are `lowercase`, not minding case, an underscore counting as a hyphen.
    func foldsName(_ range: Range<Int>, to lowercase: StaticLowercase) -> Bool {
        range.count == lowercase.utf8.count && beginsFolded(range, with: lowercase)
    }

    /// As ``foldsName(_:to:)``, for the beginning of the bytes.
    func beginsFolded(_ range: Range<Int>, with lowercase: StaticLowercase) -> Bool {
        guard range.count >= lowercase.utf8.count else { return false }
        var index = range.lowerBound
        for expected in lowercase.utf8 {
            guard self[index].foldedNameByte == expected else { return false }
            index += 1
        }
        return true
    }
}

extension UInt8 {
    /// The lower-case letter of a letter, a hyphen for an underscore.
    var foldedNameByte: UInt8 {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): self | 0x20
        case UInt8(ascii: "_"): UInt8(ascii: "-")
        default: self
        }
    }

    /// `tchar` (RFC 9110, section 5.6.2).
    package var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "^"), UInt8(ascii: "`"),
            UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Visible bytes, space, tab, and those beyond ASCII (RFC 9110, section 5.5).
    package var isFieldValueByte: Bool { (self >= 0x20 && self != 0x7F) || self == 0x09 }

    var isBlank: Bool { self == 0x20 || self == 0x09 }
    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
}
