import HTTPTypes
import JSONValue
import Libcrypto
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators do about users.
struct UserOperations: Sendable {
    let index: RedisUserIndex
    let topUsers: RedisTopUsers
    let data: RedisUserData
    let requests: RedisRequestLog
    let calls: TriedCalls
    let terms: RedisOperatorStore
    let explanation: UserExplanation
    let admissions: any AdmissionStore
    let keys: any KeyStore
    let plans: InForce<PlanTable>
    let pastDueGraceSeconds: Int64
    let audit: AuditTrail

    /// How often workers report who has called.
    let reportInterval: Duration
    let time: any TimeSource

    var endpoints: [OperatorEndpoint] {
        [
            .init(.get, "users", .viewer, list), .init(.get, "users/{user}", .viewer, show),
            .init(.delete, "users/{user}", .admin, delete),
            .init(.get, "users/{user}/explain", .viewer, explain),
            .init(.get, "users/{user}/export", .support, export),
            .init(.post, "users/{user}/grants", .support, grant),
            .init(.delete, "users/{user}/grants/{grant}", .support, revokeGrant),
            .init(.post, "users/{user}/block", .support, block),
            .init(.delete, "users/{user}/block", .support, unblock),
            .init(.put, "users/{user}/limits", .support, setLimits),
            .init(.delete, "users/{user}/limits", .support, removeLimits),
            .init(.post, "users/{user}/reset", .support, reset),
        ]
    }

    // MARK: Lists

    /// Users on a page at most.
    private static let maximumPage = 1000
    private static let standardPage = 100

    /// Users that are looked at for one page where few of them are wanted. A page may then be shorter, and tell where to
    /// go on.
    private static let maximumLooks = 20_000
    private static let looksAtATime = 500

    /// What a list is asked for.
    private struct Filter {
        let plan: String?
        let state: String?

        static let states = ["active", "blocked", "limited", "granted", "past-due", "used-up"]

        init(_ request: OperatorRequest, _ plans: PlanTable) throws(APIError) {
            plan = request.call.query["plan"]
            state = request.call.query["state"]
            if let plan, plans[plan] == nil { throw .unknownPlan(plan, plans) }
            guard let state, !Self.states.contains(state) else { return }
            throw .badRequest("'state' takes one of \(Self.states.joined(separator: ", ")).")
        }

        var isNone: Bool { plan == nil && state == nil }
    }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let filter = try Filter(request, plans.current)
        let limit = try request.number("limit", in: 1...Self.maximumPage, orElse: Self.standardPage)
        if try Self.isByUsage(request) { return try await listByUsage(filter, limit, request) }
        var last: RedisUserIndex.Entry?
        if let text = request.call.query["after"] {
            guard let entry = RedisUserIndex.Entry(text) else {
                throw APIError.badRequest("'after' takes the 'next' of the page before.")
            }
            last = entry
        }
        var (rows, looks, hasMore): ([JSON], Int, Bool) = ([], 0, true)
        while rows.count < limit, looks < Self.maximumLooks, hasMore {
            let wanted = filter.isNone ? limit - rows.count : Self.looksAtATime
            let entries = try await index.users(after: last, maximumCount: wanted)
            hasMore = entries.count == wanted
            looks += entries.count
            for (entry, summary) in zip(entries, try await data.summaries(of: entries.map(\.user)))
            where rows.count < limit {
                last = entry
                if matches(summary, filter, at: request.time) { rows.append(json(of: summary, at: request.time)) }
            }
            if rows.count >= limit, last != entries.last { hasMore = true }
        }
        return OperatorAnswer([
            "users": .array(rows), "total": try await total(filter), "next": hasMore ? .text(last?.text) : .null,
        ])
    }

    /// How many users there are. Null where some are left out: how many those are, only reading all of them would tell.
    private func total(_ filter: Filter) async throws(StoreUnavailable) -> JSON {
        filter.isNone ? .integer(try await index.count()) : .null
    }

    private static func isByUsage(_ request: OperatorRequest) throws(APIError) -> Bool {
        guard let order = request.call.query["by"] else { return false }
        guard order == "usage" || order == "last-call" else { throw .badRequest("'by' takes usage or last-call.") }
        return order == "usage"
    }

    /// Those who call most today, most first. Not all users: who calls now and then is not among them.
    private func listByUsage(
        _ filter: Filter, _ limit: Int, _ request: OperatorRequest
    ) async throws(StoreUnavailable) -> OperatorAnswer {
        let callers = try await topUsers.first(RedisTopUsers.maximumUsers, on: CalendarDay(containing: request.time))
        let summaries = try await data.summaries(of: callers.map(\.userID))
        let rows = summaries.filter { matches($0, filter, at: request.time) }.prefix(limit)
        return OperatorAnswer([
            "users": .array(rows.map { json(of: $0, at: request.time) }), "total": try await total(filter),
            "next": .null,
        ])
    }

    /// Where a user stands in the period that a call would count in now: as an admission that claims no plan would say.
    private struct Standing {
        let plan: Plan
        let period: String
        let calls: Int
        let quota: Int
        let granted: Int
    }

    private func standing(of summary: RedisUserData.Summary, at time: UnixTime) -> Standing {
        let (plans, terms) = (plans.current, summary.terms)
        let resolved = PlanResolution.resolve(
            record: summary.record, claimedPlan: nil, claimIssuedAt: nil, lastSeen: summary.planLastSeen, now: time,
            pastDueGraceSeconds: pastDueGraceSeconds)
        let plan = terms.plan(among: plans, at: time) ?? plans[resolved] ?? plans.fallback
        let period = BillingPeriod(of: plan, summary.record, at: time, pastDueGraceSeconds: pastDueGraceSeconds).name
        return Standing(
            plan: plan, period: period,
            // What stands there may be of a period that is over.
            calls: summary.period == period ? summary.calls ?? 0 : 0,
            quota: terms.quota(of: plan, in: period, at: time), granted: terms.grantedCalls(in: period, at: time))
    }

    private func matches(_ summary: RedisUserData.Summary, _ filter: Filter, at time: UnixTime) -> Bool {
        let standing = standing(of: summary, at: time)
        if let wanted = filter.plan, standing.plan.name != wanted { return false }
        return switch filter.state {
        case "active": summary.terms.block == nil
        case "blocked": summary.terms.block != nil
        case "limited": summary.terms.limits?.counts(at: time) == true
        case "granted": standing.granted > 0
        case "past-due": summary.record?.status == .pastDue
        case "used-up": standing.calls >= standing.quota
        default: true
        }
    }

    private func json(of summary: RedisUserData.Summary, at time: UnixTime) -> JSON {
        let standing = standing(of: summary, at: time)
        return [
            "userId": .string(summary.user.value), "plan": .string(standing.plan.name),
            "calls": .integer(standing.calls), "limit": .integer(standing.quota), "period": .string(standing.period),
            "subscription": .text(summary.record?.status.name), "blocked": .bool(summary.terms.block != nil),
            "lastAdmittedAt": .moment(summary.lastAdmittedAt),
        ]
    }

    // MARK: One user

    @Sendable private func explain(_ request: OperatorRequest) async throws -> OperatorAnswer {
        OperatorAnswer(
            try await explanation.json(of: request.user, trying: try calls.call(request.call.query["route"])))
    }

    @Sendable private func show(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        let explained = try await explanation.json(of: user)
        let (terms, keys) = (try await terms.terms(of: user), try await keys.keys(of: user))
        return OperatorAnswer(
            .object(
                (explained.members ?? []).filter { $0.name != "keys" } + [
                    JSON.Member(name: "operator", value: terms.json),
                    JSON.Member(name: "keys", value: .array(keys.map { $0.json(at: request.time) })),
                ]))
    }

    @Sendable private func export(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        let entries = try await data.export(user, at: request.time)
        guard !entries.isEmpty else { throw APIError.userNotFound }
        return OperatorAnswer([
            "userId": .string(user.value), "time": .moment(request.time),
            "data": JSON(Dictionary(entries.map { ($0.key, $0.value.json) }) { $1 }),
            "requests": .array(try await requests.entries(of: user).map(RequestOperations.json)),
        ])
    }

    @Sendable private func delete(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        return try await audit.record("users.delete", user.value, request) {
            let record = try await data.summaries(of: [user]).first?.record
            if let record, record.status.isLive, !record.isByHand, request.call.query["force"] != "true" {
                throw APIError.userSubscribed
            }
            let count = try await data.delete(user, at: request.time)
            guard count > 0 else { throw APIError.userNotFound }
            // Workers may have counted calls of the user that they tell of with their next report.
            try await Task.sleep(for: reportInterval + .seconds(1))
            try await data.forgetReports(of: user, at: time.now())
            try await requests.forget(user)
            return AuditTrail.Outcome(
                answer: OperatorAnswer(["userId": .string(user.value), "deletedRecords": .integer(count)]),
                after: "\(count) records deleted")
        }
    }

    @Sendable private func reset(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        return try await audit.record("users.reset", user.value, request) {
            guard try await explanation.isKnown(user, at: request.time) else { throw APIError.userNotFound }
            let before = try await data.reset(user, at: request.time)
            return AuditTrail.Outcome(
                answer: OperatorAnswer(["userId": .string(user.value), "callsBefore": .integer(before)]),
                before: "\(before) calls", after: "0 calls")
        }
    }

    // MARK: Decisions

    @Sendable private func grant(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        let members = try request.members(
            known: ["calls", "reason", "until", "every"], example: #"{"calls": 100, "reason": "sorry"}"#)
        guard let calls = try members.integer("calls", in: 1...Plan.maximumLimit) else {
            throw APIError.badRequest("'calls' is missing: how many there are to be on top of the quota.")
        }
        let every = try members.string("every", example: "period")
        guard every == nil || every == "period" else { throw APIError.badRequest("'every' takes \"period\".") }
        let until = try members.moment("until", after: request.time)
        let reason = try members.reason()
        let period = try await presentPeriod(of: user, at: request.time)
        let grant = OperatorTerms.Grant(
            id: RandomBytes.hex(count: 4), calls: calls, period: every == nil ? period : nil, until: until,
            reason: reason)
        return try await change(user, "users.grant", request) { terms in
            guard terms.add(grant, in: period, at: request.time) else { throw APIError.tooManyGrants }
        }
    }

    @Sendable private func revokeGrant(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let id = request.parameters["grant"] ?? ""
        return try await change(try request.user, "users.revoke-grant", request) { terms in
            guard terms.removeGrant(id) else {
                throw APIError(
                    .notFound, error: "Grant not found", code: "grant-not-found",
                    message: "The user has no grant of that id. GET /admin/v1/users/{id} lists those that there are.")
            }
        }
    }

    @Sendable private func block(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(known: ["reason"], example: #"{"reason": "abuse"}"#)
        guard let reason = try members.reason() else {
            throw APIError.badRequest("'reason' is missing: the caller is told it.")
        }
        return try await change(try request.user, "users.block", request) {
            $0.block = OperatorTerms.Block(reason: reason, since: request.time)
        }
    }

    @Sendable private func unblock(_ request: OperatorRequest) async throws -> OperatorAnswer {
        try await change(try request.user, "users.unblock", request) { $0.block = nil }
    }

    @Sendable private func setLimits(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(
            known: ["plan", "quota", "ratePerMinute", "until", "reason"], example: #"{"quota": 1000}"#)
        let plan = try members.string("plan", example: "pro")
        let plans = plans.current
        if let plan, plans[plan] == nil {
            throw APIError.unknownPlan(plan, plans)
        }
        let limits = OperatorTerms.Limits(
            plan: plan, quota: try members.integer("quota", in: 0...Plan.maximumLimit),
            ratePerMinute: try members.integer("ratePerMinute", in: 0...Plan.maximumLimit),
            until: try members.moment("until", after: request.time), reason: try members.reason())
        guard limits.plan != nil || limits.quota != nil || limits.ratePerMinute != nil else {
            throw APIError.badRequest("Give at least one of 'plan', 'quota' and 'ratePerMinute'.")
        }
        return try await change(try request.user, "users.limit", request) { $0.limits = limits }
    }

    @Sendable private func removeLimits(_ request: OperatorRequest) async throws -> OperatorAnswer {
        try await change(try request.user, "users.unlimit", request) { $0.limits = nil }
    }

    private func presentPeriod(of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> String {
        let decision = try await admissions.peek(AdmissionRequest(principal: Principal(userID: user), time: time))
        return decision.usage.period.name
    }

    /// One who has not called yet may be decided about as well: `isKnown` tells of an id that was typed wrong.
    private func change(
        _ user: UserID, _ action: String, _ request: OperatorRequest, _ change: (inout OperatorTerms) throws -> Void
    ) async throws -> OperatorAnswer {
        try await audit.record(action, user.value, request) {
            let isKnown = try await explanation.isKnown(user, at: request.time)
            let (before, after) = try await terms.change(user, change)
            try await index.add([user], at: request.time)
            return AuditTrail.Outcome(
                answer: OperatorAnswer([
                    "userId": .string(user.value), "isKnown": .bool(isKnown), "operator": after.json,
                ]), before: before.json.text, after: after.json.text)
        }
    }
}

extension OperatorTerms {
    var json: JSON {
        [
            "block": block.map { ["reason": .string($0.reason.text), "since": .moment($0.since)] } ?? .null,
            "limits": limits.map { limits in
                [
                    "plan": .text(limits.plan), "quota": limits.quota.map { .integer($0) } ?? .null,
                    "ratePerMinute": limits.ratePerMinute.map { .integer($0) } ?? .null,
                    "until": .moment(limits.until), "reason": .text(limits.reason?.text),
                ]
            } ?? .null,
            "grants": .array(
                grants.map { grant in
                    [
                        "id": .string(grant.id), "calls": .integer(grant.calls),
                        "every": grant.period == nil ? "period" : .null, "period": .text(grant.period),
                        "until": .moment(grant.until), "reason": .text(grant.reason?.text),
                    ]
                }),
        ]
    }
}

extension RedisUserData.Entry.Value {
    fileprivate var json: JSON {
        switch self {
        case .text(let text): .string(text)
        case .fields(let fields): JSON(fields.mapValues(JSON.string))
        case .members(let members): .array(members.map(JSON.string))
        }
    }
}

extension JSONBody {
    /// A member that is a day or a moment to come. A day means its end.
    func moment(_ name: String, after now: UnixTime) throws(APIError) -> UnixTime? {
        guard let text = try string(name, example: "2026-12-31") else { return nil }
        let end = UnixTime(iso8601: "\(text)T00:00:00Z").map { $0.adding(seconds: 86_400) }
        guard let moment = UnixTime(iso8601: text) ?? end, moment > now else {
            throw .badRequest(
                "'\(name)' takes a day or a moment to come, such as 2026-12-31 or 2026-12-31T18:00:00Z (UTC).")
        }
        return moment
    }

    func reason() throws(APIError) -> OperatorReason? {
        guard let text = try string("reason", example: "abuse") else { return nil }
        guard let reason = OperatorReason(text) else {
            throw .badRequest("'reason' takes one line of 1 to \(OperatorReason.maximumLength) bytes.")
        }
        return reason
    }
}

extension APIError {
    static let userNotFound = APIError(
        .notFound, error: "User not found", code: "user-not-found",
        message: "No user of this id has called, bought anything or made a key here. Check the id; capitals matter.")

    fileprivate static func unknownPlan(_ name: String, _ plans: PlanTable) -> APIError {
        .badRequest(
            "There is no plan '\(name.prefix(64))'. The plans are \(plans.plans.map(\.name).joined(separator: ", ")).")
    }

    fileprivate static let tooManyGrants = APIError(
        .conflict, error: "Too many grants", code: "too-many-grants",
        message: "The user has \(OperatorTerms.maximumGrants) grants that are not over. Take one back first: DELETE "
            + "/admin/v1/users/{id}/grants/{grant}; or set another quota.")

    fileprivate static let userSubscribed = APIError(
        .conflict, error: "User subscribed", code: "user-subscribed",
        message: "The user has a subscription, which Stripe would tell of again. Cancel it there first, or repeat the "
            + "request with force=true.")
}
