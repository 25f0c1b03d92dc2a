/// Finds what a misspelt word was meant to be: a key, or a command.
package enum Suggestion {
    /// The candidate nearest to `key`. Nil when none is near enough to be worth a guess.
    ///
    /// Case and punctuation do not count, so `redis_url` and `redisUrl` both find `redis.url`.
    static func nearest(to key: String, among candidates: [String]) -> String? {
        let wanted = letters(of: key)
        let distances = candidates.map { (candidate: $0, distance: distance(wanted, letters(of: $0))) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        if best.distance <= max(1, wanted.count / 3) { return best.candidate }
        // A key cut short, such as `rate` for `ratePerMinute`.
        return wanted.count < 4 ? nil : candidates.first { letters(of: $0).starts(with: wanted) }
    }

    /// What to do about an unknown word.
    package static func remedy(for key: String, among candidates: [String]) -> String {
        nearest(to: key, among: candidates).map { "Did you mean '\($0)'?" }
            ?? "Known are \(candidates.joined(separator: ", "))."
    }

    /// The candidate that `name` is but for a letter or two. Nil for a name that may well be another program's: one
    /// that is as near as ``nearest(to:among:)`` allows often is.
    static func misspelt(_ name: String, among candidates: [String]) -> String? {
        let wanted = letters(of: name)
        let allowed = wanted.count < 12 ? 1 : 2
        return candidates.first { candidate in
            let letters = letters(of: candidate)
            return abs(letters.count - wanted.count) <= allowed && distance(wanted, letters) <= allowed
        }
    }

    private static func letters(of key: String) -> [Character] {
        key.lowercased().filter { $0.isLetter || $0.isNumber }
    }

    /// Edits that turn one word into the other: insert, delete, replace, or swap two neighbours (optimal string
    /// alignment). Row by row of the usual table, keeping the last two rows.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let isSame = left[row] == right[column]
                var best = min(
                    previous[column + 1] + 1, current[column] + 1, previous[column] + (isSame ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
