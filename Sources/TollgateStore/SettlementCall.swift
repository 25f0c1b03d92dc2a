import RedisClient
import TollgateCore

extension RedisScript.Call {
    static let settleScript = RedisScript(
        resource: PackageResources.settle_reservation_lua,
        prelude: PackageResources.values_lua + PackageResources.give_back_lua)
    static let renewScript = RedisScript(resource: PackageResources.renew_reservation_lua)

    /// The call that ends `reservation`: which keys and arguments `settle_reservation.lua` is given.
    static func settlement(_ reservation: Reservation, _ outcome: Reservation.Outcome) -> RedisScript.Call {
        var arguments: [Argument] = [
            .text(reservation.record), .text(reservation.id), .text(outcome == .giveBack ? "giveBack" : "keep"),
        ]
        if case .keepAndReplay(let answer) = outcome {
            arguments += [
                .text("\(answer.status)"), .bytes(answer.head), .bytes(answer.body),
                .text("\(StoredAnswer.maximumCount)"), .text("\(StoredAnswer.maximumTotalBytes)"),
            ]
        }
        return RedisScript.Call(
            settleScript, on: [.usage(reservation.userID)] + reservation.keys, mixed: arguments)
    }

    /// The call that gives `reservation` more time.
    static func renewal(_ reservation: Reservation, until leaseEnd: UnixTime) -> RedisScript.Call {
        RedisScript.Call(
            renewScript, on: reservation.keys,
            arguments: [reservation.record, reservation.id, leaseEnd.iso8601])
    }
}

extension Reservation {
    /// The set of the user's reservations, and the record of the idempotent call, or the set again for want of one.
    fileprivate var keys: [RedisKey] {
        let set = RedisKey.reservations(userID)
        return [set, idempotencyKey.map { .idempotency(userID, key: $0) } ?? set]
    }
}
