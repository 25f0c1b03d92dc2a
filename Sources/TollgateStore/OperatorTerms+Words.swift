import PercentCoding
import TollgateCore

/// The field `operator` of `subscription:{userId}`: what operators have decided, in words that a person can read.
///
///     block=2026-11-29T10:00:00Z/abuse plan=pro quota=1000 rate=60 until=2026-12-31T00:00:00Z why=pilot
///     grant=7f3a/100/2026-11-01/-/sorry grant=81bc/50/*/2026-12-31T00:00:00Z/-
///
/// Reasons are percent-encoded, for no word has a blank in it. People write such words by hand as well, so this and
/// `admit.lua` read them alike, whatever they are: what cannot be read decides nothing, an end that cannot be read is over, a
/// day is one to its end, and of two words of a kind the first counts.
extension OperatorTerms {
    var words: String {
        var words: [String] = []
        if let block { words.append("block=\(block.since.iso8601)/\(block.reason.word)") }
        if let limits {
            if let plan = limits.plan { words.append("plan=\(plan)") }
            if let quota = limits.quota { words.append("quota=\(quota)") }
            if let rate = limits.ratePerMinute { words.append("rate=\(rate)") }
            if let until = limits.until { words.append("until=\(until.iso8601)") }
            if let reason = limits.reason { words.append("why=\(reason.word)") }
        }
        for grant in grants {
            words.append(
                "grant=\(grant.id)/\(grant.calls)/\(grant.period ?? "*")/\(grant.until?.iso8601 ?? "-")/"
                    + (grant.reason?.word ?? "-"))
        }
        return words.joined(separator: " ")
    }

    init(words text: String) {
        var (block, own, grants): (Block?, Limits, [Grant]) = (nil, Limits(), [])
        var numbers: Set<String> = []
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { continue }
            let value = parts[1]
            switch parts[0] {
            case "block": block = block ?? Block(word: value)
            case "plan" where Plan.isValidName(value): own.plan = own.plan ?? value
            case "quota" where Self.isNumber(value) && numbers.insert("quota").inserted: own.quota = Self.limit(value)
            case "rate" where Self.isNumber(value) && numbers.insert("rate").inserted:
                own.ratePerMinute = Self.limit(value)
            case "until": own.until = own.until ?? UnixTime(endingWith: value)
            case "why": own.reason = own.reason ?? OperatorReason(word: value)
            case "grant": if let grant = Grant(word: value) { grants.append(grant) }
            default: break
            }
        }
        self.init(block: block, limits: own == Limits() ? nil : own, grants: grants)
    }

    private static func isNumber(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// Nil for a number out of range as well.
    fileprivate static func limit(_ text: String) -> Int? {
        guard isNumber(text) else { return nil }
        return Int(text).flatMap { (0...Plan.maximumLimit).contains($0) ? $0 : nil }
    }
}

extension UnixTime {
    /// The end that a word tells: a moment, or a day, which ends with the next one. What cannot be read is over.
    fileprivate init(endingWith word: String) {
        self =
            UnixTime(iso8601: word) ?? UnixTime(iso8601: word + "T00:00:00Z")?.adding(seconds: 86_400)
            ?? UnixTime(seconds: 0)
    }
}

extension OperatorTerms.Block {
    /// A block that says no reason, or no moment, is one all the same.
    fileprivate init?(word: String) {
        let parts = word.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[1].isEmpty,
            let reason = OperatorReason(word: parts[1]) ?? OperatorReason("-")
        else { return nil }
        self.init(reason: reason, since: UnixTime(iso8601: parts[0]) ?? UnixTime(seconds: 0))
    }
}

extension OperatorTerms.Grant {
    fileprivate init?(word: String) {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, !parts.contains(""),
            parts[0].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }),
            let calls = OperatorTerms.limit(parts[1])
        else { return nil }
        self.init(
            id: parts[0], calls: calls, period: parts[2] == "*" ? nil : parts[2],
            until: parts[3] == "-" ? nil : UnixTime(endingWith: parts[3]),
            reason: parts[4] == "-" ? nil : OperatorReason(word: parts[4]))
    }
}

extension OperatorReason {
    /// A hyphen alone stands for no reason.
    fileprivate var word: String { text == "-" ? "%2D" : PercentEncoding.component(text) }

    init?(word: String) {
        guard let text = PercentEncoding.decoded(word) else { return nil }
        self.init(text)
    }
}
