import ClerkAuth
import Hiredis
import StripeBilling
@testable import TollgateConfiguration
import TollgateCore
@testable import TollgateDataPlane

/// A reader of what comes from outside. `Tests/Fuzz/run` reads the names off the cases.
enum FuzzTarget: String, CaseIterable {
    case requestHead = "request-head"
    case responseHead = "response-head"
    case chunkedBody = "chunked-body"
    case requestTarget = "request-target"
    case jwt = "jwt"
    case apiKey = "api-key"
    case stripeSignature = "stripe-signature"
    case stripeEvent = "stripe-event"
    case date = "date"
    case yaml = "yaml"
    case resp = "resp"

    func run(_ input: [UInt8]) {
        switch self {
        case .requestHead: HTTPTargets.readRequestHead(input)
        case .responseHead: HTTPTargets.readResponseHead(input)
        case .chunkedBody: HTTPTargets.readChunkedBody(input)
        case .requestTarget: HTTPTargets.readTarget(String(decoding: input, as: UTF8.self))
        case .jwt: Self.readToken(input)
        case .apiKey: Self.readKey(String(decoding: input, as: UTF8.self))
        case .stripeSignature: Self.readSignature(input)
        case .stripeEvent: Self.readEvent(input)
        case .date: Self.readDate(String(decoding: input, as: UTF8.self))
        case .yaml: Self.readYAML(String(decoding: input, as: UTF8.self))
        case .resp: Self.readReplies(input)
        }
    }

    /// 2025-11-26T23:00:00Z
    private static let now = UnixTime(seconds: 1_764_198_000)

    // MARK: Credentials

    /// A token as it comes, and its claims as they are before they are encoded, which mutations get further into.
    private static func readToken(_ input: [UInt8]) {
        for text in [String(decoding: input, as: UTF8.self), "eyJhbGciOiJSUzI1NiJ9.\(base64(input)).AA"] {
            guard let token = try? SessionToken(text) else { continue }
            try? token.claims.lifetime.check(at: now)
            _ = token.claims.lifetime.issuedAt?.iso8601
            require(token.claims.subject.value.utf8.count <= UserID.maximumLength, "a user id is bounded")
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var (text, bits, count) = ("", 0, 0)
        for byte in bytes {
            (bits, count) = ((bits & 0x3F) << 8 | Int(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(digits[bits >> count & 63])
            }
        }
        if count > 0 { text.append(digits[bits << (6 - count) & 63]) }
        return text
    }

    private static func readKey(_ text: String) {
        _ = PresentedKey.claims(text)
        _ = try? PresentedKey(text)
        guard let key = try? APIKey(text) else { return }
        require(key.text == text && text.utf8.count <= APIKey.maximumLength, "a key has one spelling")
        require(KeyID(key.id.value) == key.id && UserID(key.owner.value) == key.owner, "what a key says is valid")
    }

    // MARK: Billing

    private static func readSignature(_ input: [UInt8]) {
        let header = String(decoding: input, as: UTF8.self)
        try? WebhookSignature.verify(header: header, payload: input, secrets: ["whsec_fuzz"], at: now)
        let good = WebhookSignature.sign(payload: input, secret: "whsec_fuzz", at: now)
        do {
            try WebhookSignature.verify(header: good, payload: input, secrets: ["whsec_fuzz"], at: now)
        } catch {
            require(false, "what was signed is believed")
        }
    }

    private static func readEvent(_ input: [UInt8]) {
        guard let event = try? StripeEvent(parsing: input),
            case .subscriptionChanged(let change) = event.meaning,
            let seen = Subscription(
                change.facts, known: nil, prices: PriceTable([.init(plan: "paid", priceIDs: ["price_1"])]),
                unknownPrice: .free, seenAt: change.eventTime, now: change.eventTime)
        else { return }
        let purchases = Purchases(subscriptions: [seen])
        for time in [now, change.eventTime, UnixTime(seconds: .min), UnixTime(seconds: .max)] {
            let record = purchases.record(
                replacing: nil, at: time, plans: .standard, pastDueGraceSeconds: 90 * 86_400)
            _ = record?.grantedPlan(at: time, pastDueGraceSeconds: 90 * 86_400)
            _ = record?.graceEnd(pastDueGraceSeconds: 90 * 86_400)?.iso8601
            _ = [record?.endsAt, record?.trialEnd, record?.period?.end].map { $0?.iso8601 }
        }
    }

    // MARK: Dates, routes, Redis

    private static func readDate(_ text: String) {
        for time in [UnixTime(rfc3339: text), UnixTime(iso8601: text)].compactMap(\.self) {
            require(UnixTime(iso8601: time.iso8601) == time, "a moment is read as it is written")
            require(BillingPeriod(containing: time).start <= time, "a moment is in its month")
        }
        if let number = Int64(text) {
            for time in [UnixTime(seconds: number), UnixTime(milliseconds: number)] {
                require(time.adding(seconds: number).iso8601.utf8.count == 20, "a moment has 20 characters")
                var date = HTTPDate()
                require(date.text(at: time).utf8.count >= 29, "a date has its length")
            }
        }
        if let number = Double(text) { _ = UnixTime(checkedSeconds: number)?.iso8601 }
    }

    private static func readYAML(_ text: String) {
        let file = YAMLFile(name: "tollgate.yaml", text: text)
        require(file.problems.isEmpty || file.routes.isEmpty || file.isReadable, "what is not read has no routes")
    }

    /// In one portion, and byte by byte.
    private static func readReplies(_ input: [UInt8]) {
        let whole = replies(input, portion: max(1, input.count))
        require(replies(input, portion: 1) == whole, "portions make no difference")
    }

    private static func replies(_ input: [UInt8], portion: Int) -> [RedisReply] {
        var reader = ReplyReader()
        var found: [RedisReply] = []
        for start in stride(from: 0, to: input.count, by: portion) {
            let part = Array(input[start..<min(start + portion, input.count)])
            // Unsafe: the reader copies the bytes.
            guard unsafe part.withUnsafeBytes({ bytes in unsafe (try? reader.feed(bytes)) != nil }) else {
                return found
            }
            while true {
                guard let next = try? reader.next() else { break }
                _ = (next.string, next.integer, next.array)
                found.append(next)
            }
        }
        return found
    }
}
