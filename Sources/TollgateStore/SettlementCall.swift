import RedisClient
import TollgateCore

extension RedisScript.Call {
    static let settleScript = NamedScript<SettlementSignature>(
        "settle_reservation.lua", resource: PackageResources.settle_reservation_lua,
        prelude: PackageResources.values_lua + PackageResources.give_back_lua)
    static let renewScript = NamedScript<RenewalSignature>(
        "renew_reservation.lua", resource: PackageResources.renew_reservation_lua)

    /// The call that ends `reservation`: which keys and arguments `settle_reservation.lua` is given.
    static func settlement(_ reservation: Reservation, _ outcome: Reservation.Outcome) -> RedisScript.Call {
        let answer: StoredAnswer? = if case .keepAndReplay(let answer) = outcome { answer } else { nil }
        return settleScript.call(upTo: answer == nil ? .outcome : .maximumBytes) { key in
            switch key {
            case .usage: .usage(reservation.userID)
            case .reservations: .reservations(reservation.userID)
            case .call: reservation.callKey
            }
        } with: { argument in
            switch argument {
            case .member: .text(reservation.record)
            case .id: .text(reservation.id)
            case .outcome: .text(outcome == .giveBack ? "giveBack" : "keep")
            case .status: .text(answer.map { "\($0.status)" } ?? "")
            case .head: .bytes(answer?.head ?? [])
            case .body: .bytes(answer?.body ?? [])
            case .maximumAnswers: .text("\(StoredAnswer.maximumCount)")
            case .maximumBytes: .text("\(StoredAnswer.maximumTotalBytes)")
            }
        }
    }

    /// The call that gives `reservation` more time.
    static func renewal(_ reservation: Reservation, until leaseEnd: UnixTime) -> RedisScript.Call {
        renewScript.call { key in
            switch key {
            case .reservations: .reservations(reservation.userID)
            case .call: reservation.callKey
            }
        } with: { argument in
            switch argument {
            case .member: reservation.record
            case .id: reservation.id
            case .leaseEnd: leaseEnd.iso8601
            }
        }
    }
}

/// What `settle_reservation.lua` is given, and what it answers.
enum SettlementSignature: ScriptSignature {
    enum Key: String, ScriptName { case usage, reservations, call }

    enum Argument: String, ScriptName {
        /// Of `reservations:{user}`, as `admit.lua` gave it. Empty when there is nothing to give back.
        case member

        /// Of the reservation.
        case id

        /// `keep` or `giveBack`.
        case outcome

        /// The answer that repeats get.
        case status, head, body

        /// How many answers of one user are kept, and how many bytes they have together.
        case maximumAnswers, maximumBytes
    }

    enum Outcome: String, ScriptName { case endedBefore, ended }
}

/// What `renew_reservation.lua` is given, and what it answers.
enum RenewalSignature: ScriptSignature {
    enum Key: String, ScriptName { case reservations, call }

    enum Argument: String, ScriptName {
        /// As of a settlement.
        case member, id

        /// ISO 8601.
        case leaseEnd
    }

    enum Outcome: String, ScriptName { case endedBefore, renewed }
}

extension Reservation {
    /// The record of the idempotent call, or the set of the user's reservations for want of one.
    fileprivate var callKey: RedisKey {
        idempotencyKey.map { .idempotency(userID, key: $0) } ?? .reservations(userID)
    }
}
