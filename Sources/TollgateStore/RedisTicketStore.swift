import Hiredis
import Libcrypto
package import RedisClient
package import TollgateCore

/// Tickets in Redis: one string for each, which is there until it was used or its time is over. It says what the caller
/// was authenticated as; whether a key is still good is asked in the admission that follows.
///
/// Using a ticket is a command of its own before the admission, and takes the ticket away in the same moment. So it is
/// used once over all workers. If the reply is lost, so is the ticket.
package struct RedisTicketStore: Sendable {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Makes a ticket for `principal`, to be used before `expiry`.
    package func issue(
        for principal: Principal, until expiry: UnixTime
    ) async throws(StoreUnavailable) -> Ticket {
        let secret = RandomBytes.make(count: Ticket.secretByteCount)
        guard let ticket = Ticket(owner: principal.userID, secret: secret) else {
            throw StoreUnavailable(reason: "a ticket was made in another form than it has")
        }
        let entry = TicketEntry(principal: principal, expiry: expiry)
        let reply = try await client.ask(
            RedisCommand("SET", ticket.key, entry.text, "EX", "\(Ticket.lifetimeSeconds)"))
        guard reply.string == "OK" else { throw .unexpectedReply(of: "SET") }
        return ticket
    }

    /// Uses a ticket over `link`. `completion` is called once, on its event loop, with the caller; with nil when there is
    /// no such ticket any more.
    static func use(
        _ ticket: Ticket, at time: UnixTime, over link: any RedisLink,
        completion: @escaping (Result<Principal?, StoreUnavailable>) -> Void
    ) {
        link.send(RedisCommand("GETDEL", ticket.key)) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(error)))
            case .success(let reply):
                let entry = reply.string.flatMap { TicketEntry(text: $0, owner: ticket.owner) }
                completion(.success(entry.flatMap { $0.expiry > time ? $0.principal : nil }))
            }
        }
    }
}

extension Ticket {
    fileprivate var key: RedisKey { .ticket(of: owner, sha256: SHA256.digest(text).hex) }
}

/// What is kept of a ticket: lines, the last of which holds whatever a token may claim.
private struct TicketEntry {
    let principal: Principal
    let expiry: UnixTime

    init(principal: Principal, expiry: UnixTime) {
        self.principal = principal
        self.expiry = expiry
    }

    var text: String {
        let parts =
            switch principal.credential {
            case .token: ["token", "", ""]
            case .secretKey(let id, let mode, let hash): ["\(mode.rawValue)", id.value, hash.hex]
            case .platformKey(let fingerprint, let platformID): ["platform", fingerprint, platformID]
            }
        let issued = principal.issuedAt.map { "\($0.milliseconds)" } ?? ""
        return (["\(expiry.milliseconds)"] + parts + [issued, principal.claimedPlan ?? ""]).joined(separator: "\n")
    }

    init?(text: String, owner: UserID) {
        let lines = text.split(separator: "\n", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard lines.count == 6, let expiry = Int64(lines[0]) else { return nil }
        let credential: Credential
        switch lines[1] {
        case "token": credential = .token
        case "platform": credential = .platformKey(fingerprint: lines[2], platformID: lines[3])
        default:
            guard let mode = KeyMode(rawValue: lines[1]), let id = KeyID(lines[2]), let hash = KeyHash(hex: lines[3])
            else { return nil }
            credential = .secretKey(id: id, mode: mode, hash: hash)
        }
        self.expiry = UnixTime(milliseconds: expiry)
        principal = Principal(
            userID: owner, claimedPlan: lines[5].isEmpty ? nil : lines[5],
            issuedAt: Int64(lines[4]).map { UnixTime(milliseconds: $0) }, credential: credential)
    }
}
