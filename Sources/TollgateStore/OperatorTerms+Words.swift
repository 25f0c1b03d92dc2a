import PercentCoding
import TollgateCore

/// The field `operator` of `subscription:{userId}`: what operators have decided, in words that a person can read.
///
///     block=2026-11-29T10:00:00Z/abuse plan=pro quota=1000 rate=60 until=2026-12-31T00:00:00Z why=pilot
///     grant=7f3a/100/2026-11-01/-/sorry grant=81bc/50/*/2026-12-31T00:00:00Z/-
///
/// Reasons are percent-encoded, for no word has a blank in it. What cannot be read is left out: it decides nothing in
/// `admit.lua` either.
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
        var (block, limits): (Block?, Limits?) = (nil, nil)
        var grants: [Grant] = []
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { continue }
            let value = parts[1]
            switch parts[0] {
            case "block": block = Block(word: value)
            case "plan" where Plan.isValidName(value): limits = limits ?? Limits(); limits?.plan = value
            case "quota": limits = limits ?? Limits(); limits?.quota = Self.limit(value)
            case "rate": limits = limits ?? Limits(); limits?.ratePerMinute = Self.limit(value)
            case "until": limits = limits ?? Limits(); limits?.until = UnixTime(iso8601: value)
            case "why": limits = limits ?? Limits(); limits?.reason = OperatorReason(word: value)
            case "grant": if let grant = Grant(word: value) { grants.append(grant) }
            default: break
            }
        }
        self.init(block: block, limits: limits, grants: grants)
    }

    fileprivate static func limit(_ text: String) -> Int? {
        Int(text).flatMap { (0...Plan.maximumLimit).contains($0) ? $0 : nil }
    }
}

extension OperatorTerms.Block {
    /// A block that says no reason, or no moment, is one all the same.
    fileprivate init?(word: String) {
        let parts = word.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let reason = OperatorReason(word: parts[1]) ?? OperatorReason("-") else { return nil }
        self.init(reason: reason, since: UnixTime(iso8601: parts[0]) ?? UnixTime(seconds: 0))
    }
}

extension OperatorTerms.Grant {
    fileprivate init?(word: String) {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, let calls = OperatorTerms.limit(parts[1]) else { return nil }
        self.init(
            id: parts[0], calls: calls, period: parts[2] == "*" ? nil : parts[2],
            until: parts[3] == "-" ? nil : UnixTime(iso8601: parts[3]),
            reason: parts[4] == "-" ? nil : OperatorReason(word: parts[4]))
    }
}

extension OperatorReason {
    fileprivate var word: String { PercentEncoding.component(text) }

    init?(word: String) {
        guard let text = PercentEncoding.decoded(word) else { return nil }
        self.init(text)
    }
}
