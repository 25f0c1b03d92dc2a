import RedisClient
import TollgateCore

extension RedisScript.Call {
    static let settleScript = NamedScript<SettlementArgument>(
        resource: PackageResources.settle_reservation_lua,
        prelude: PackageResources.values_lua + PackageResources.give_back_lua)
    static let renewScript = NamedScript<RenewalArgument>(resource: PackageResources.renew_reservation_lua)

    /// The call that ends `reservation`: which keys and arguments `settle_reservation.lua` is given.
    static func settlement(_ reservation: Reservation, _ outcome: Reservation.Outcome) -> RedisScript.Call {
        let answer: StoredAnswer? = if case .keepAndReplay(let answer) = outcome { answer } else { nil }
        return settleScript.call(
            on: [.usage(reservation.userID)] + reservation.keys, upTo: answer == nil ? .outcome : .maximumBytes
        ) { argument in
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
        renewScript.call(on: reservation.keys) { argument in
            switch argument {
            case .member: reservation.record
            case .id: reservation.id
            case .leaseEnd: leaseEnd.iso8601
            }
        }
    }
}

/// What `settle_reservation.lua` is given.
enum SettlementArgument: String, ScriptArgument {
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

/// What `renew_reservation.lua` is given.
enum RenewalArgument: String, ScriptArgument {
    /// As of a settlement.
    case member, id

    /// ISO 8601.
    case leaseEnd
}

extension Reservation {
    /// The set of the user's reservations, and the record of the idempotent call, or the set again for want of one.
    fileprivate var keys: [RedisKey] {
        let set = RedisKey.reservations(userID)
        return [set, idempotencyKey.map { .idempotency(userID, key: $0) } ?? set]
    }
}
