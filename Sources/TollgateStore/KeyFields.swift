import Hiredis
import TollgateCore

/// The fields of the hash `key:{userId}:{keyId}`. Moments are ISO 8601 in UTC; scopes have spaces between them.
struct KeyFields {
    private var values: [String: String] = [:]

    /// What a new record says.
    init(_ record: KeyRecord) {
        values["hash"] = record.hash.hex
        values["name"] = record.name
        values["mode"] = record.mode.rawValue
        values["scopes"] = record.scopes.map(\.value).joined(separator: " ")
        values["createdAt"] = record.createdAt.iso8601
        values["expiresAt"] = record.expiresAt?.iso8601
        values["status"] = record.status.rawValue
    }

    /// Reads what HGETALL answers. Nil when `reply` has another form.
    init?(reply: some Collection<RedisReply>) {
        let texts = reply.map { $0.string ?? "" }
        guard texts.count.isMultiple(of: 2) else { return nil }
        for index in stride(from: 0, to: texts.count, by: 2) { values[texts[index]] = texts[index + 1] }
    }

    /// Field, value, field, value, …
    var arguments: [String] {
        Self.order.flatMap { field in values[field].map { [field, $0] } ?? [] }
    }

    /// The record of the key `id`. Nil when something is missing that every record has.
    func record(_ id: KeyID) -> KeyRecord? {
        guard let hash = values["hash"].flatMap({ KeyHash(hex: $0) }),
            let mode = values["mode"].flatMap({ KeyMode(rawValue: $0) }), values["createdAt"] != nil,
            let status = values["status"].flatMap({ KeyRecord.Status(rawValue: $0) })
        else { return nil }
        let scopes = (values["scopes"] ?? "").split(separator: " ").compactMap { KeyScope(String($0)) }
        return KeyRecord(
            id: id, name: values["name"] ?? "", mode: mode, scopes: scopes, hash: hash,
            createdAt: moment("createdAt") ?? Self.longAgo,
            expiresAt: values["expiresAt"].map { UnixTime(iso8601: $0) ?? Self.longAgo }, status: status,
            lastUsedAt: moment("lastUsedAt"), previous: previous)
    }

    private var previous: KeyRecord.Previous? {
        guard let hash = values["previousHash"].flatMap({ KeyHash(hex: $0) }) else { return nil }
        return KeyRecord.Previous(
            hash: hash, until: moment("previousUntil") ?? Self.longAgo, lastUsedAt: moment("previousUsedAt"))
    }

    /// An end that nobody can read has come.
    private static let longAgo = UnixTime(seconds: 0)

    private func moment(_ field: String) -> UnixTime? { values[field].flatMap { UnixTime(iso8601: $0) } }

    private static let order = ["name", "mode", "scopes", "status", "createdAt", "expiresAt", "hash"]
}
