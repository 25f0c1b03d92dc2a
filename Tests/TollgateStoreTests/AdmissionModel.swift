import TollgateCore

/// What admission means, written down a second time in plain Swift: the oracle that the script is compared with.
struct AdmissionModel {
    private struct Record {
        var count: Int
        var plan: String?
        var period: BillingPeriod
    }

    let plans: PlanTable
    let pastDueGraceSeconds: Int64

    /// What billing says, kept by the test.
    var subscriptions: [UserID: SubscriptionRecord] = [:]
    private var records: [UserID: Record] = [:]
    private var minutes: [UserID: [Int64: Int]] = [:]
    private var routeMinutes: [UserID: [String: [Int64: Int]]] = [:]

    init(plans: PlanTable, pastDueGraceSeconds: Int64) {
        self.plans = plans
        self.pastDueGraceSeconds = pastDueGraceSeconds
    }

    /// - Parameter onlyTells: Charge nothing.
    mutating func admit(_ request: AdmissionRequest, onlyTells: Bool = false) -> AdmissionDecision {
        let user = request.principal.userID
        let wanted = PlanResolution.resolve(
            record: subscriptions[user], claimedPlan: request.principal.claimedPlan,
            claimIssuedAt: request.principal.issuedAt, lastSeen: records[user]?.plan, now: request.time,
            pastDueGraceSeconds: pastDueGraceSeconds)
        let plan = plans[wanted] ?? plans.fallback
        let current = BillingPeriod(containing: request.time)
        var record = records[user] ?? Record(count: 0, plan: nil, period: current)
        if record.period.firstDay < current.firstDay {
            record = Record(count: 0, plan: record.plan, period: current)
        }
        let window = RateWindow(containing: request.time)
        var requests = minutes[user]?[window.minute] ?? 0
        let route = request.routeLimit
        var routeRequests = route.flatMap { routeMinutes[user]?[$0.route]?[window.minute] } ?? 0

        let outcome: AdmissionDecision.Outcome
        let fits = record.count + request.cost <= plan.quota
        if requests >= plan.ratePerMinute || route.map({ routeRequests >= $0.ratePerMinute }) == true {
            outcome = .rateLimited
        } else if !fits && request.quotaPolicy == .enforce {
            outcome = .quotaExceeded
        } else {
            outcome = .admitted
        }
        if outcome == .admitted && !onlyTells {
            requests += 1
            if fits { record.count += request.cost }
            if plans[wanted] != nil { record.plan = plan.name }
            records[user] = record
            minutes[user, default: [:]][window.minute] = requests
            if let route {
                routeRequests += 1
                routeMinutes[user, default: [:]][route.route, default: [:]][window.minute] = routeRequests
            }
        }
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(
                count: record.count, limit: plan.quota, plan: plan.name, period: record.period),
            rate: RateSnapshot(count: requests, limit: plan.ratePerMinute, window: window),
            routeRate: route.map { RateSnapshot(count: routeRequests, limit: $0.ratePerMinute, window: window) },
            oddities: plans[wanted] == nil ? .planUnknown : [])
    }
}
