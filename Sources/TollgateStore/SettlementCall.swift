import RedisClient
import TollgateCore

extension RedisScript.Call {
    private static let settleScript = RedisScript(
        resource: PackageResources.settle_reservation_lua, prelude: PackageResources.give_back_lua)

    /// The call that ends `reservation`: which keys and arguments `settle_reservation.lua` is given.
    static func settlement(_ reservation: Reservation, _ outcome: Reservation.Outcome) -> RedisScript.Call {
        let user = reservation.userID
        let member =
            reservation.idempotencyKey.map { "\(reservation.id) \($0)" }
            ?? "\(reservation.id) \(reservation.calls) \(reservation.period.firstDay) \(reservation.day) "
            + reservation.route
        let set = Keys.reservations(user)
        return RedisScript.Call(
            settleScript,
            keys: [Keys.usage(user), set, reservation.idempotencyKey.map { Keys.idempotency(user, key: $0) } ?? set],
            arguments: [member, outcome == .keep ? "keep" : "giveBack"])
    }
}
