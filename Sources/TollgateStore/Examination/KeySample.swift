import Hiredis
import RedisClient

/// Some of the keys in Redis, compared with ``RedisKey/Pattern``.
package struct KeySample: Sendable, Hashable {
    /// Keys that were looked at.
    package var count = 0

    /// Keys that ought to have a TTL and have none.
    package var withoutTTL: [String] = []

    /// Keys whose type is not the one that is due, each as `<name> (<type>)`.
    package var ofWrongType: [String] = []

    /// How many of the keys are none that Tollgate writes, by how their names begin.
    package var strange: [String: Int] = [:]

    /// What users' keys may be used for: how many of those that were looked at have each scope.
    package var scopes: [String: Int] = [:]

    package init() {}

    /// - Parameter scopes: The field of a user's key, with spaces between them.
    package mutating func add(scopes text: String) {
        for scope in Set(text.split(separator: " ")) { scopes[String(scope), default: 0] += 1 }
    }

    /// - Parameters:
    ///   - type: What `TYPE` answers: `none` for a key that has ended meanwhile.
    ///   - ttlMilliseconds: What `PTTL` answers: -1 for a key that has none.
    package mutating func add(_ name: String, type: String, ttlMilliseconds: Int64) {
        guard type != "none", ttlMilliseconds != -2 else { return }
        count += 1
        guard let pattern = RedisKey.Pattern(of: name) else {
            strange[Self.beginning(of: name), default: 0] += 1
            return
        }
        if type != pattern.type.rawValue { ofWrongType.append("\(name) (\(type))") }
        if pattern.lifetime == .ends, ttlMilliseconds == -1 { withoutTTL.append(name) }
    }

    /// Of another program's key no more is told than how it begins: what follows may be a secret.
    private static func beginning(of name: String) -> String {
        let end = name.firstIndex { ":{/.|".contains($0) } ?? name.endIndex
        let word = name[..<end].prefix(24)
        return word.endIndex == name.endIndex ? String(word) : word + "…"
    }
}

/// Reads a ``KeySample``.
struct KeySampler: Sendable {
    /// Keys that are looked at, and a few more.
    private static let wantedKeys = 400

    /// Answers of SCAN that are waited for: of a table that is nearly empty one may hold nothing.
    private static let maximumScans = 20

    let client: RedisClient

    func sample() async throws(RedisError) -> KeySample {
        var (sample, cursor, names) = (KeySample(), "0", Set<String>())
        for _ in 0..<Self.maximumScans {
            let reply = try await client.execute(RedisCommand("SCAN", cursor, "COUNT", "100")).array ?? []
            guard reply.count == 2, let next = reply[0].string else { break }
            // A name that is no text is none of ours.
            names.formUnion((reply[1].array ?? []).map { $0.string ?? "?" })
            cursor = next
            if cursor == "0" || names.count >= Self.wantedKeys { break }
        }
        // Another program's key is not asked about: the login may have no right to.
        let ours = names.filter { RedisKey.Pattern(of: $0) != nil }.sorted()
        for name in names where RedisKey.Pattern(of: name) == nil { sample.add(name, type: "", ttlMilliseconds: -1) }
        let answers = try await client.results(
            of: ours.flatMap { [RedisCommand("TYPE", $0), RedisCommand("PTTL", $0)] })
        for (index, name) in ours.enumerated() {
            let (type, ttl) = (try answers[2 * index].get().string, try answers[2 * index + 1].get().integer)
            sample.add(name, type: type ?? "none", ttlMilliseconds: ttl ?? -2)
        }
        let keys = ours.filter { RedisKey.Pattern(of: $0) == .key }
        for answer in try await client.results(of: keys.map { RedisCommand("HGET", $0, "scopes") }) {
            // What is no hash has been told of above.
            if let scopes = (try? answer.get())?.string { sample.add(scopes: scopes) }
        }
        return sample
    }
}
