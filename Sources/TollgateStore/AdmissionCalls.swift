import RedisClient
import TollgateCore

/// The script calls of admission: which keys and arguments `admit.lua` and `settle_reservation.lua` are given.
struct AdmissionCalls: Sendable {
    /// How long a usage record outlives its period, for whoever looks at it afterwards.
    private static let recordKeptSeconds: Int64 = 31 * 86_400

    private static let admitScript = RedisScript(
        resource: PackageResources.admit_lua, prelude: PackageResources.give_back_lua)
    private static let settleScript = RedisScript(
        resource: PackageResources.settle_reservation_lua, prelude: PackageResources.give_back_lua)

    private let pastDueGraceSeconds: Int64
    private let planArguments: [String]

    init(plans: PlanTable, pastDueGraceSeconds: Int64) {
        self.pastDueGraceSeconds = pastDueGraceSeconds
        planArguments =
            [plans.fallback.name] + plans.plans.flatMap { [$0.name, "\($0.quota)", "\($0.ratePerMinute)"] }
    }

    /// The call that decides `request`.
    ///
    /// - Parameter onlyTells: Charge nothing.
    func admission(_ request: AdmissionRequest, onlyTells: Bool = false) -> RedisScript.Call {
        let user = request.principal.userID
        let period = BillingPeriod(containing: request.time)
        let recordLifetime = period.end.seconds - request.time.seconds + Self.recordKeptSeconds
        let keys = [
            Keys.rateLimit(user, RateWindow(containing: request.time)), Keys.usage(user), Keys.subscription(user),
        ]
        let arguments =
            [
                "\(request.cost)", request.quotaPolicy == .enforce ? "1" : "0", period.firstDay.description,
                period.lastDay.description, request.time.iso8601, "\(recordLifetime)",
                request.principal.claimedPlan ?? "", request.principal.issuedAt?.iso8601 ?? "",
                UnixTime(seconds: max(0, request.time.seconds - pastDueGraceSeconds)).iso8601,
            ] + planArguments
        guard onlyTells || request.needsMoreThanAToken else {
            return RedisScript.Call(Self.admitScript, keys: keys, arguments: arguments)
        }
        return RedisScript.Call(
            Self.admitScript, keys: keys + Self.furtherKeys(of: request),
            arguments: arguments + Self.furtherArguments(of: request, onlyTells: onlyTells))
    }

    private static func furtherKeys(of request: AdmissionRequest) -> [String] {
        let user = request.principal.userID
        let credential =
            switch request.principal.credential {
            case .token: Keys.usage(user)
            case .secretKey(let id, _, _): Keys.key(id, of: user)
            case .platformKey: Keys.apiKey(of: user)
            }
        return [credential, request.idempotentCall.map { Keys.idempotency(user, key: $0.key) } ?? Keys.usage(user)]
    }

    private static func furtherArguments(of request: AdmissionRequest, onlyTells: Bool) -> [String] {
        let credential =
            switch request.principal.credential {
            case .token: ["", ""]
            case .secretKey(_, _, let hash): ["key", hash.hex]
            case .platformKey(let fingerprint): ["platform", fingerprint]
            }
        func after(_ seconds: Int64) -> String { request.time.adding(seconds: seconds).iso8601 }
        return credential + [
            request.requiredScopes.map(\.value).joined(separator: " "), onlyTells ? "1" : "0",
            request.idempotentCall?.fingerprint ?? "",
            request.idempotentCall == nil ? "" : after(IdempotentCall.keptSeconds),
            request.reservation?.id ?? "", request.reservation.map { after($0.leaseSeconds) } ?? "",
            "\(IdempotentCall.maximumRepeats)",
        ]
    }

    /// The call that ends `reservation`.
    static func settlement(_ reservation: Reservation, _ outcome: Reservation.Outcome) -> RedisScript.Call {
        let user = reservation.userID
        let member =
            reservation.idempotencyKey.map { "\(reservation.id) \($0)" }
            ?? "\(reservation.id) \(reservation.calls) \(reservation.period.firstDay)"
        let set = Keys.reservations(user)
        return RedisScript.Call(
            settleScript,
            keys: [Keys.usage(user), set, reservation.idempotencyKey.map { Keys.idempotency(user, key: $0) } ?? set],
            arguments: [member, outcome == .keep ? "keep" : "giveBack"])
    }
}

extension AdmissionRequest {
    fileprivate var needsMoreThanAToken: Bool {
        principal.credential.isKey || idempotentCall != nil || reservation != nil
    }
}
