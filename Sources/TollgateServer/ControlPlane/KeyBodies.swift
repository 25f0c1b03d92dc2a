import JSONValue
import NIOCore
import TollgateCore
import TollgateDataPlane

/// How the bodies of `POST /keys` and `POST /keys/{id}/rotate` name what a key is to be. Below stands how answers show it.
enum KeyBodies {
    private static let example = #"{"name": "build server"}"#

    /// How long a secret that is rotated out works on unless its owner says otherwise: a day.
    private static let standardOverlapSeconds = 86_400

    private static let maximumExpiryDays = 3650

    /// `{"name": …, "mode": …, "scopes": […], "allowedIPs": […], "expiresAt": … or "expiresInDays": …}`; all but the name
    /// may be left out.
    ///
    /// - Parameter time: Now.
    static func draft(_ body: ByteBuffer, at time: UnixTime) throws(APIError) -> KeyDraft {
        let members = try JSONBody(
            body, known: ["name", "mode", "scopes", "allowedIPs", "expiresAt", "expiresInDays"], example: example)
        guard let name = try members.string("name", example: "build server") else {
            throw .badRequest("'name' is missing. Say what the key is for: \(example).")
        }
        let (mode, scopes, expiry) = (try mode(members), try scopes(members), try expiry(members, at: time))
        let allowedIPs = try allowedIPs(members)
        do throws(KeyDraft.Problem) {
            return try KeyDraft(
                KeyTerms(name: name, mode: mode, scopes: scopes, expiresAt: expiry, allowedIPs: allowedIPs), at: time)
        } catch {
            throw refusal(of: error)
        }
    }

    /// `{"overlapSeconds": …}`, or nothing.
    static func overlapSeconds(_ body: ByteBuffer) throws(APIError) -> Int64 {
        guard body.readableBytes > 0 else { return Int64(standardOverlapSeconds) }
        let members = try JSONBody(body, known: ["overlapSeconds"], example: #"{"overlapSeconds": 3600}"#)
        let seconds = try members.integer("overlapSeconds", in: 0...Int(KeyLimits.maximumOverlapSeconds))
        return Int64(seconds ?? standardOverlapSeconds)
    }

    private static func mode(_ members: JSONBody) throws(APIError) -> KeyMode {
        guard let text = try members.string("mode", example: KeyMode.live.rawValue) else { return .live }
        guard let mode = KeyMode(rawValue: text) else { throw .badRequest("'mode' takes \"live\" or \"test\".") }
        return mode
    }

    private static func scopes(_ members: JSONBody) throws(APIError) -> [KeyScope] {
        guard let texts = try members.strings("scopes", example: #"["read"]"#) else { return [.all] }
        var scopes: [KeyScope] = []
        for (place, text) in texts.enumerated() {
            guard let scope = KeyScope(text) else {
                throw .badRequest(
                    "'scopes[\(place)]' is no scope. One is \"*\", or up to \(KeyScope.maximumLength) lower-case "
                        + "letters, digits and _ - . : /, such as \"orders:write\".")
            }
            if !scopes.contains(scope) { scopes.append(scope) }
        }
        return scopes
    }

    private static func allowedIPs(_ members: JSONBody) throws(APIError) -> NetworkList? {
        guard let texts = try members.strings("allowedIPs", example: #"["203.0.113.7"]"#) else { return nil }
        for (place, text) in texts.enumerated() where NetworkList([text]) == nil {
            throw .badRequest(
                "'allowedIPs[\(place)]' is no address or network. One is such as \"203.0.113.7\", \"10.0.0.0/8\" or "
                    + "\"2001:db8::/32\", a network with zeros behind its length.")
        }
        guard let networks = NetworkList(texts) else { throw refusal(of: .allowedIPs(texts.count)) }
        return networks
    }

    private static func expiry(_ members: JSONBody, at time: UnixTime) throws(APIError) -> UnixTime? {
        let moment = try members.string("expiresAt", example: momentExample)
        let days = try members.integer("expiresInDays", in: 1...maximumExpiryDays)
        guard let moment else { return days.map { time.adding(seconds: Int64($0) * 86_400) } }
        guard days == nil else { throw .badRequest("Send 'expiresAt' or 'expiresInDays', not both.") }
        guard let expiry = UnixTime(rfc3339: moment) else {
            throw .badRequest(
                "'expiresAt' takes a moment of the calendar as RFC 3339 writes it, such as \"\(momentExample)\".")
        }
        return expiry
    }

    private static let momentExample = "2030-12-31T23:59:59Z"

    private static func refusal(of problem: KeyDraft.Problem) -> APIError {
        switch problem {
        case .name: .badRequest("'name' takes 1 to \(KeyDraft.maximumNameLength) bytes on one line.")
        case .tooManyScopes(let count):
            .badRequest("'scopes' takes up to \(KeyScope.maximumCount) scopes, not \(count).")
        case .expiry: .badRequest("'expiresAt' takes a moment that is still to come.")
        case .allowedIPs(let count):
            .badRequest(
                "'allowedIPs' takes 1 to \(KeyDraft.maximumAllowedIPs) addresses and networks, not \(count). Leave it out "
                    + "for a key that works from everywhere.")
        }
    }
}

// MARK: What answers show

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
            JSON.Member(
                name: "allowedIPs", value: terms.allowedIPs.map { .array($0.texts.map { .string($0) }) } ?? .null),
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
