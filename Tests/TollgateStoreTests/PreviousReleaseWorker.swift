import Hiredis
import RedisClient
import Testing
import TollgateCore
import TollgateStore

/// What tests ask of a worker's part of Redis, whatever release it is of.
protocol AdmittingWorker: Sendable {
    func admit(_ request: AdmissionRequest) async throws -> AdmissionDecision
    @discardableResult
    func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) async throws -> Bool
    func renew(_ reservation: Reservation, until leaseEnd: UnixTime) async throws -> Bool
}

extension RedisAdmissionStore: AdmittingWorker {}

/// A worker of the previous release, as Redis sees it: the scripts in `PreviousRelease`, called as that release called
/// them. It answers in the terms of this one.
struct PreviousReleaseWorker: AdmittingWorker {
    private static let recordKeptSeconds: Int64 = 31 * 86_400
    private static let settleScript = script(PackageResources.give_back_lua + PackageResources.settle_reservation_lua)
    private static let renewScript = script(PackageResources.renew_reservation_lua)

    private let client: RedisClient
    private let plans: PlanTable
    private let admitScript: RedisScript

    init(client: RedisClient, plans: PlanTable) {
        self.client = client
        self.plans = plans
        admitScript = Self.script(
            PackageResources.give_back_lua + Array(Self.source(plans).utf8) + PackageResources.admit_lua)
    }

    private static func script(_ text: [UInt8]) -> RedisScript {
        RedisScript(source: String(decoding: text, as: UTF8.self))
    }

    private static func source(_ table: PlanTable) -> String {
        let branches = table.plans.enumerated().map { place, plan in
            "  if name == '\(plan.name)' then return \(place), \(plan.quota), \(plan.ratePerMinute) end\n"
        }
        let start = "local FALLBACK_PLAN = '\(table.fallback.name)'\nlocal function plan_named(name)\n"
        return start + branches.joined() + "end\n"
    }

    // MARK: Admission

    func admit(_ request: AdmissionRequest) async throws -> AdmissionDecision {
        let hasAll =
            request.idempotentCall != nil || request.reservation != nil || request.routeLimit != nil
            || request.quotaPolicy != .enforce
        let isKey = request.principal.credential.isKey
        var (keys, arguments) = (Self.keys(of: request), Self.arguments(of: request))
        if hasAll {
            keys.append(credentialKey(of: request))
            keys += furtherKeys(of: request)
            arguments += keyArguments(of: request) + tokenArguments(of: request) + furtherArguments(of: request)
        } else if isKey {
            keys.append(credentialKey(of: request))
            arguments += keyArguments(of: request)
        } else {
            arguments += tokenArguments(of: request)
        }
        let reply = try await client.run(RedisScript.Call(admitScript, on: keys, arguments: arguments))
        let numbers = (reply.array ?? []).compactMap(\.integer).map { Int($0) }
        try #require(numbers.count == (hasAll ? 9 : 6), "\(reply)")
        return try decision(numbers, of: request)
    }

    private static func keys(of request: AdmissionRequest) -> [RedisKey] {
        let user = request.principal.userID
        return [
            .rateLimit(user, RateWindow(containing: request.time)), .usage(user), .subscription(user),
        ]
    }

    private static func arguments(of request: AdmissionRequest) -> [String] {
        let (time, period) = (request.time, BillingPeriod(containing: request.time))
        return [
            "\(request.cost)", request.route, period.firstDay.description, period.lastDay.description, time.iso8601,
            "\(period.end.seconds - time.seconds + recordKeptSeconds)",
            time.adding(seconds: -PlanResolution.standardPastDueGraceSeconds).iso8601,
        ]
    }

    private func credentialKey(of request: AdmissionRequest) -> RedisKey {
        let user = request.principal.userID
        return switch request.principal.credential {
        case .token: .usage(user)
        case .secretKey(let id, _, _): .key(id, of: user)
        case .platformKey: .apiKey(of: user)
        }
    }

    private func furtherKeys(of request: AdmissionRequest) -> [RedisKey] {
        let (user, window) = (request.principal.userID, RateWindow(containing: request.time))
        return [
            request.idempotentCall.map { .idempotency(user, key: $0.key) } ?? .usage(user),
            request.routeLimit.map { .rateLimit(user, route: $0.route, window) } ?? .usage(user),
        ]
    }

    private func tokenArguments(of request: AdmissionRequest) -> [String] {
        [request.principal.claimedPlan ?? "", request.principal.issuedAt?.iso8601 ?? ""]
    }

    private func keyArguments(of request: AdmissionRequest) -> [String] {
        let scopes = request.requiredScopes.map(\.value).joined(separator: " ")
        return switch request.principal.credential {
        case .token: ["", "", scopes]
        case .secretKey(_, _, let hash): ["key", hash.hex, scopes]
        case .platformKey(let fingerprint, _): ["platform", fingerprint, ""]
        }
    }

    private func furtherArguments(of request: AdmissionRequest) -> [String] {
        func after(_ seconds: Int64?) -> String { seconds.map { request.time.adding(seconds: $0).iso8601 } ?? "" }
        return [
            request.quotaPolicy == .enforce ? "1" : "0", "0", request.idempotentCall?.fingerprint ?? "",
            after(request.idempotentCall.map { _ in IdempotentCall.keptSeconds }), request.reservation?.id ?? "",
            after(request.reservation?.leaseSeconds), request.reservation?.givesBack == true ? "1" : "0",
            request.routeLimit.map { "\($0.ratePerMinute)" } ?? "", "\(IdempotentCall.maximumCount)",
        ]
    }

    private static let outcomes: [AdmissionDecision.Outcome] = [
        .admitted, .rateLimited, .quotaExceeded, .keyRefused(.unknown), .keyRefused(.revoked), .keyRefused(.expired),
        .keyRefused(.scopeMissing), .idempotencyKeyReused, .idempotencyKeyInUse, .replayed,
    ]

    private func decision(_ numbers: [Int], of request: AdmissionRequest) throws -> AdmissionDecision {
        let (plan, window) = (plans.plans[numbers[2]], RateWindow(containing: request.time))
        let start = CalendarDay(year: numbers[5] / 10_000, month: numbers[5] / 100 % 100, day: numbers[5] % 100)
        let period =
            numbers[5] == 0 ? BillingPeriod(containing: request.time) : BillingPeriod(containing: start)
        let outcome = Self.outcomes[numbers[0] - 1]
        let isLong = numbers.count == 9
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: numbers[1], limit: plan.quota, plan: plan.name, period: period),
            rate: RateSnapshot(count: numbers[3], limit: plan.ratePerMinute, window: window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: numbers[8], limit: $0.ratePerMinute, window: window)
            },
            oddities: numbers[4] == 1 ? .planUnknown : [], isRepeat: isLong && numbers[7] == 1,
            reservation: isLong && outcome == .admitted ? reservation(of: numbers[6], in: period, request) : nil)
    }

    // MARK: Reservations

    /// That release made the member anew each time, from what it remembered of the reservation.
    private func reservation(
        of calls: Int, in period: BillingPeriod, _ request: AdmissionRequest
    ) -> Reservation? {
        guard let wish = request.reservation, calls > 0 || request.idempotentCall != nil else { return nil }
        let member =
            "\(wish.id) \(calls) \(period.firstDay) \(CalendarDay(containing: request.time)) \(request.route)"
            + (request.idempotentCall.map { " " + $0.key } ?? "")
        return Reservation(
            id: wish.id, userID: request.principal.userID, calls: calls, record: calls > 0 ? member : "",
            idempotencyKey: request.idempotentCall?.key)
    }

    private func keys(of reservation: Reservation) -> [RedisKey] {
        let set = RedisKey.reservations(reservation.userID)
        return [set, reservation.idempotencyKey.map { RedisKey.idempotency(reservation.userID, key: $0) } ?? set]
    }

    func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) async throws -> Bool {
        var arguments: [RedisScript.Call.Argument] = [
            .text(reservation.record), .text(reservation.id), .text(outcome == .giveBack ? "giveBack" : "keep"),
        ]
        if case .keepAndReplay(let answer) = outcome {
            arguments += [
                .text("\(answer.status)"), .bytes(answer.head), .bytes(answer.body),
                .text("\(StoredAnswer.maximumCount)"), .text("\(StoredAnswer.maximumTotalBytes)"),
            ]
        }
        let keys = [RedisKey.usage(reservation.userID)] + keys(of: reservation)
        return try await client.run(RedisScript.Call(Self.settleScript, on: keys, mixed: arguments)).integer == 1
    }

    func renew(_ reservation: Reservation, until leaseEnd: UnixTime) async throws -> Bool {
        try await client.run(
            RedisScript.Call(
                Self.renewScript, on: keys(of: reservation),
                arguments: [reservation.record, reservation.id, leaseEnd.iso8601])
        ).integer == 1
    }
}
