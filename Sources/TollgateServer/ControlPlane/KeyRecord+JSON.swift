import JSONValue
import TollgateCore
import TollgateDataPlane

/// A key as its owner sees it: all but its hashes.
extension KeyRecord {
    /// What a list of keys says of it.
    func json(at time: UnixTime) -> JSON { .object(members + members(ofUseAt: time)) }

    /// What never changes, and no hash.
    var members: [JSON.Member] {
        [
            JSON.Member(name: "id", value: .string(id.value)),
            JSON.Member(name: "name", value: .string(terms.name)),
            JSON.Member(name: "mode", value: .string(terms.mode.rawValue)),
            JSON.Member(name: "scopes", value: .array(terms.scopes.map { .string($0.value) })),
            JSON.Member(name: "createdAt", value: .moment(createdAt)),
            JSON.Member(name: "expiresAt", value: .moment(terms.expiresAt)),
        ]
    }

    /// When the key was used, and the secret before it, as long as that works.
    private func members(ofUseAt time: UnixTime) -> [JSON.Member] {
        let until = previousUntil(at: time)
        return [
            JSON.Member(name: "lastUsedAt", value: .moment(lastUsedAt)),
            JSON.Member(name: "previousUntil", value: .moment(until)),
            JSON.Member(name: "previousLastUsedAt", value: .moment(until == nil ? nil : previous?.lastUsedAt)),
        ]
    }

    /// Until when the secret that was rotated out works. Nil when there is none that does.
    func previousUntil(at time: UnixTime) -> UnixTime? {
        previous.flatMap { $0.until.seconds > time.seconds ? $0.until : nil }
    }
}
