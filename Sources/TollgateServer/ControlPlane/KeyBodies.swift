import NIOCore
import TollgateCore
import TollgateDataPlane

/// The bodies of `POST /keys` and `POST /keys/{id}/rotate`.
enum KeyBodies {
    private static let example = #"{"name": "build server"}"#

    /// How long a secret that is rotated out works on unless its owner says otherwise: a day.
    private static let standardOverlapSeconds = 86_400

    private static let maximumExpiryDays = 3650

    /// `{"name": …, "mode": …, "scopes": […], "expiresAt": … or "expiresInDays": …}`; all but the name may be left out.
    ///
    /// - Parameter time: Now.
    static func draft(_ body: ByteBuffer, at time: UnixTime) throws(APIError) -> KeyDraft {
        let members = try JSONBody(
            body, known: ["name", "mode", "scopes", "expiresAt", "expiresInDays"], example: example)
        guard let name = try members.string("name", example: "build server") else {
            throw .badRequest("'name' is missing. Say what the key is for: \(example).")
        }
        let (mode, scopes, expiry) = (try mode(members), try scopes(members), try expiry(members, at: time))
        do throws(KeyDraft.Problem) {
            return try KeyDraft(
                KeyTerms(name: name, mode: mode, scopes: scopes, expiresAt: expiry), at: time)
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
        }
    }
}
