/// What a gateway does with a header field depends on its name alone. One look at each name, without allocation.
///
/// A name is believed in one spelling only, in whatever case. CGI, WSGI and others cannot tell `X_Tollgate_User` or
/// `X.Tollgate.User` from `X-Tollgate-User`: a field whose name only reads like one of those below is ``misspelt``,
/// counts for nothing and goes no further.
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

    /// `X-Forwarded-Prefix`.
    case forwardedPrefix

    /// `X-Forwarded-Port` and `X-Real-IP`: passed on as they are, from a trusted proxy.
    case forwardedAsTold

    /// `Forwarded` (RFC 7239).
    case forwardedElements

    /// Every other `X-Forwarded-…`, and `X-Original-URI` and its like: what proxies say about the original request.
    case forwarded

    /// `X-Tollgate-…`: what only this gateway may say.
    case identity

    /// `Via`: which proxies a message has passed.
    case via

    // Passed on, and read by the gateway too.
    case authorization
    case apiKey
    case idempotencyKey
    case requestID
    case origin

    /// `Sec-WebSocket-Protocol`.
    case webSocketProtocol

    /// `Date`.
    case date

    /// `Location` and `Content-Location`, of an answer.
    case location

    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`, of an answer.
    case rateLimit

    /// A name with other characters than letters, digits and hyphens that some read as one of the above.
    case misspelt

    /// The same of a name that frames a message: there is no telling where the next server sees its end.
    case misspeltFraming
}

extension FieldKind {
    /// The kind of the field whose name stands at `range` of `bytes`.
    ///
    /// - Parameter isPlain: The name consists of letters, digits and hyphens.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, isPlain: Bool) {
        let folded = Self(folding: bytes, range)
        self = isPlain ? folded : folded.ofMisspeltName
    }

    /// The kind of the field called `name` to a reader who cannot tell one separator from another.
    package init(folding name: String) {
        let bytes = Array(name.utf8)
        self.init(folding: bytes.span, 0..<bytes.count)
    }

    private var ofMisspeltName: FieldKind {
        switch self {
        case .endToEnd, .date, .location, .rateLimit: .endToEnd
        case .contentLength, .transferEncoding: .misspeltFraming
        default: .misspelt
        }
    }

    private init(folding bytes: Span<UInt8>, _ range: Range<Int>) {
        func folds(_ lowercase: StaticLowercase) -> Bool { bytes.foldsName(range, to: lowercase) }
        func begins(_ lowercase: StaticLowercase) -> Bool { bytes.beginsFolded(range, with: lowercase) }
        self =
            switch range.count {
            case 2 where folds("te"): .te
            case 3 where folds("via"): .via
            case 4: folds("host") ? .host : folds("date") ? .date : .endToEnd
            // Some CGI programs take a field `Proxy` for the variable HTTP_PROXY.
            case 5 where folds("proxy"): .hopByHop
            case 6: folds("expect") ? .expect : folds("origin") ? .origin : .endToEnd
            case 7 where folds("upgrade"): .upgrade
            case 8 where folds("location"): .location
            case 9: Self.ofNine(folds)
            case 10: folds("connection") ? .connection : folds("keep-alive") ? .hopByHop : .endToEnd
            case 12 where folds("x-request-id"): .requestID
            case 13 where folds("authorization"): .authorization
            case 14 where folds("content-length"): .contentLength
            case 15 where folds("idempotency-key"): .idempotencyKey
            case 16 where folds("proxy-connection"): .hopByHop
            case 16 where folds("ratelimit-policy"): .rateLimit
            case 16 where folds("content-location"): .location
            case 17 where folds("transfer-encoding"): .transferEncoding
            case 18 where folds("proxy-authenticate"): .hopByHop
            case 19 where folds("proxy-authorization"): .hopByHop
            case 22 where folds("sec-websocket-protocol"): .webSocketProtocol
            case 11... where begins("x-tollgate-"): .identity
            case 12... where begins("x-forwarded-"): Self.ofForwarded(range.count, folds)
            case 12... where begins("x-ratelimit-"): .rateLimit
            case 13...17 where begins("x-original-") || folds("x-rewrite-url"): Self.ofOriginal(folds)
            default: .endToEnd
            }
    }

    private static func ofForwarded(_ count: Int, _ folds: (StaticLowercase) -> Bool) -> FieldKind {
        switch count {
        case 15 where folds("x-forwarded-for"): .forwardedFor
        case 16: folds("x-forwarded-host") ? .forwardedHost : folds("x-forwarded-port") ? .forwardedAsTold : .forwarded
        case 17 where folds("x-forwarded-proto"): .forwardedProto
        case 18 where folds("x-forwarded-prefix"): .forwardedPrefix
        default: .forwarded
        }
    }

    /// Some applications take what these say for what they are asked.
    private static func ofOriginal(_ folds: (StaticLowercase) -> Bool) -> FieldKind {
        let isKnown =
            folds("x-original-uri") || folds("x-original-url") || folds("x-original-host")
            || folds("x-original-method") || folds("x-rewrite-url")
        return isKnown ? .forwarded : .endToEnd
    }

    private static func ofNine(_ folds: (StaticLowercase) -> Bool) -> FieldKind {
        if folds("x-api-key") { return .apiKey }
        if folds("x-real-ip") { return .forwardedAsTold }
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

    /// Whether a field of this kind tells of the client, in the words of an earlier proxy.
    package var tellsOfClient: Bool {
        switch self {
        case .forwarded, .forwardedFor, .forwardedHost, .forwardedProto, .forwardedPrefix, .forwardedAsTold,
            .forwardedElements:
            true
        default: false
        }
    }
}

/// A field's name in lower case, written in the source.
typealias StaticLowercase = String

extension Span<UInt8> {
    /// Whether the bytes at `range` are a name that some read as `lowercase`.
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

    /// Whether the bytes at `range` begin with `lowercase`, not minding case.
    func begins(_ range: Range<Int>, with lowercase: StaticLowercase) -> Bool {
        guard range.count >= lowercase.utf8.count else { return false }
        var index = range.lowerBound
        for expected in lowercase.utf8 {
            guard self[index].lowercaseByte == expected else { return false }
            index += 1
        }
        return true
    }

    /// Whether the bytes at `range` are `lowercase`, not minding case.
    func matches(_ range: Range<Int>, _ lowercase: StaticLowercase) -> Bool {
        range.count == lowercase.utf8.count && begins(range, with: lowercase)
    }
}

extension UInt8 {
    var lowercaseByte: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }

    /// A letter, a digit or a hyphen: what names are usually made of.
    var isPlainNameByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// The lower-case letter of a letter, a hyphen for every separator: as in the name of a CGI variable.
    package var foldedNameByte: UInt8 { isPlainNameByte ? lowercaseByte : UInt8(ascii: "-") }

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
