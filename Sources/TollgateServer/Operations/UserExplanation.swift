import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Why a user has the limits that they have, and what would become of their next call. Changes nothing, and tells no
/// secret.
struct UserExplanation: Sendable {
    let admissions: any AdmissionStore
    let subscriptions: any SubscriptionStore
    let keys: any KeyStore
    let traces: RedisUserTraces
    let terms: RedisOperatorStore
    let plans: InForce<PlanTable>
    let pastDueGraceSeconds: Int64
    let time: any TimeSource

    /// Whether the user has ever called, bought or made something.
    func isKnown(_ user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> Bool {
        try await traces.traces(of: user, at: time).isKnown
    }

    /// - Parameter call: What the next call is to be.
    /// - Throws: When nothing is known of the user.
    func json(of user: UserID, trying call: TriedCall = .standard) async throws(APIError) -> JSON {
        let now = time.now()
        do {
            async let traces = traces.traces(of: user, at: now)
            async let bought = subscriptions.purchases(of: user)
            async let keys = keys.keys(of: user)
            async let terms = terms.terms(of: user)
            async let decision = admissions.peek(call.request(of: Principal(userID: user), at: now))
            let facts = try await Facts(
                user: user, time: now, call: call, traces: traces, bought: bought, keys: keys, terms: terms,
                decision: decision)
            guard facts.traces.isKnown else { throw APIError.userNotFound }
            return json(facts)
        } catch let error as APIError {
            throw error
        } catch let error as StoreUnavailable {
            throw .unavailable(toOperators: error)
        } catch {
            throw .internalError(cause: "\(error)")
        }
    }

    /// Everything that is known of a user.
    private struct Facts {
        let user: UserID
        let time: UnixTime
        let call: TriedCall
        let traces: RedisUserTraces.Traces
        let bought: KnownPurchases
        let keys: [KeyRecord]
        let terms: OperatorTerms
        let decision: AdmissionDecision
    }

    private func json(_ facts: Facts) -> JSON {
        let (decision, route, now) = (facts.decision, facts.call.route, facts.time)
        return [
            "userId": .string(facts.user.value),
            "time": .moment(now),
            "nextCall": (NextCall(opening: route) ?? NextCall(decision, on: route, at: now)).json,
            "plan": plan(facts),
            "usage": decision.usage.jsonWithReset,
            "minute": Self.json(of: decision.rate, at: now),
            "routeMinute": decision.routeRate.map { Self.json(of: $0, at: now) } ?? .null,
            "openReservations": .integer(facts.traces.openReservations),
            "lastAdmittedAt": .moment(facts.traces.lastAdmittedAt),
            "keys": [
                "count": .integer(facts.keys.count { !$0.isExpired(at: now) }),
                "lastUsedAt": .moment(facts.keys.compactMap(\.lastUse).max()),
            ],
            "subscription": facts.bought.record.map { json(of: $0) } ?? .null,
        ]
    }

    private static func json(of rate: RateSnapshot, at time: UnixTime) -> JSON {
        [
            "count": .integer(rate.count), "limit": .integer(rate.limit), "remaining": .integer(rate.remaining),
            "resetSeconds": .integer(Int(rate.secondsUntilReset(at: time))),
        ]
    }

    private func plan(_ facts: Facts) -> JSON {
        let explanation = PlanExplanation(
            record: facts.bought.record, unsoldPrices: facts.bought.unsoldPrices, lastSeen: facts.traces.planLastSeen,
            terms: facts.terms, period: facts.decision.usage.period.name, plans: plans.current, at: facts.time,
            pastDueGraceSeconds: pastDueGraceSeconds)
        return [
            "name": .string(facts.decision.usage.plan), "source": .string(explanation.source.rawValue),
            "reason": .string(explanation.reason), "tokens": .string(explanation.tokens),
            "lastSeen": .text(facts.traces.planLastSeen),
            "quota": .integer(facts.decision.usage.limit), "ratePerMinute": .integer(facts.decision.rate.limit),
        ]
    }

    private func json(of record: SubscriptionRecord) -> JSON {
        return [
            "plan": .string(record.plan), "status": .string(record.status.name), "customerId": .text(record.customerID),
            "subscriptionId": .text(record.subscriptionID), "startedAt": .moment(record.startedAt),
            "periodStart": .moment(record.period?.start), "periodEnd": .moment(record.period?.end),
            "endsAt": .moment(record.endsAt),
            "trialEnd": .moment(record.trialEnd), "collectionPause": record.collectionPause?.json ?? .null,
            "planAfterGrace": .text(record.planAfterGrace), "pastDueSince": .moment(record.pastDueSince),
            "graceUntil": .moment(record.graceEnd(pastDueGraceSeconds: pastDueGraceSeconds)),
            "writtenAt": .moment(record.writtenAt), "clerkToldAt": .moment(record.clerkUpdatedAt),
        ]
    }
}

extension KeyRecord {
    /// When any of its secrets was used last.
    fileprivate var lastUse: UnixTime? { [lastUsedAt, previous?.lastUsedAt].compactMap(\.self).max() }
}

extension NextCall {
    var json: JSON {
        [
            "isAdmitted": .bool(isAdmitted), "code": .text(code), "message": .string(message),
            "passesAt": .moment(passesAt),
        ]
    }
}

extension KnownPurchases {
    /// The prices of the subscription that the record sums up, if it is live and none of them sells a plan.
    fileprivate var unsoldPrices: [String] {
        guard let id = record?.subscriptionID, let counting = purchases.subscriptions[id], counting.status.isLive,
            counting.plan == nil
        else { return [] }
        return counting.priceIDs
    }
}
