import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Workers with another plan table beside ours, as in a rolling upgrade that adds a plan, or after one start with a
/// mistaken table: a worker without the plan decides by the fallback and leaves the plan on record, where it is the
/// only trace of what the holder of a key has.
@Suite(.timeLimit(.minutes(6))) struct PlansOfOthersTests {
    private struct Workers {
        let gateway: KeyGateway
        let newer: RedisAdmissionStore
        let older: RedisAdmissionStore
        let key: APIKey

        func request(claiming plan: String?, after seconds: Int64 = 0, cost: Int = 1) -> AdmissionRequest {
            let principal =
                plan.map {
                    Principal(userID: gateway.user, claimedPlan: $0, issuedAt: KeyGateway.time.adding(seconds: seconds))
                } ?? Principal(key)
            return AdmissionRequest(
                principal: principal, time: KeyGateway.time.adding(seconds: seconds), cost: cost)
        }

        func planOnRecord() async throws -> String? { try await gateway.hash("usage:{user_abc}")["plan"] }
    }

    private func withWorkers(_ body: (Workers) async throws -> Void) async throws {
        let plans = [
            Plan(name: "free", quota: 5, ratePerMinute: 1000), Plan(name: "paid", quota: 100, ratePerMinute: 1000),
            Plan(name: "gold", quota: 5000, ratePerMinute: 1000),
        ]
        let (newer, older) = (try PlanTable(plans), try PlanTable(plans.dropLast()))
        try await KeyGateway.run { gateway in
            try await body(
                Workers(
                    gateway: gateway, newer: RedisAdmissionStore(client: gateway.client, plans: newer),
                    older: RedisAdmissionStore(client: gateway.client, plans: older),
                    key: try await gateway.makeKey().key))
        }
    }

    /// All orders of four calls: by either worker, with a key or with a token that claims the plan.
    @Test func aPlanIsKeptInWhateverOrderItIsMet() async throws {
        try await withWorkers { workers in
            for order in 0..<256 {
                try await workers.gateway.client.send("DEL usage:{user_abc}")
                _ = try await workers.newer.admit(workers.request(claiming: "gold"))
                for step in 0..<4 {
                    let (isOlder, isToken) = (order >> (2 * step) & 1 == 1, order >> (2 * step + 1) & 1 == 1)
                    let request = workers.request(claiming: isToken ? "gold" : nil, cost: 0)
                    let decision = try await (isOlder ? workers.older : workers.newer).admit(request)
                    #expect(decision.planIsUnknown == isOlder, "order \(order), step \(step)")
                    #expect(decision.usage.plan == (isOlder ? "free" : "gold"), "order \(order), step \(step)")
                    #expect(decision.usage.limit == (isOlder ? 5 : 5000), "order \(order), step \(step)")
                    #expect(decision.outcome == .admitted && decision.oddities.names.isEmpty)
                    #expect(try await workers.planOnRecord() == "gold", "order \(order), step \(step)")
                }
                // Rates are not what this is about.
                try await workers.gateway.client.send("DEL \(KeyGateway.minute)")
            }
        }
    }

    @Test(arguments: [nil, "free", "paid"]) func aClaimThatIsNotKnownLeavesTheRecordAlone(plan: String?) async throws {
        try await withWorkers { workers in
            if let plan { _ = try await workers.older.admit(workers.request(claiming: plan)) }
            for seconds in [0, 3600, 6 * 86_400] as [Int64] {
                let decision = try await workers.older.admit(workers.request(claiming: "gold", after: seconds))
                #expect(decision.usage.plan == "free" && decision.planIsUnknown)
                #expect(try await workers.planOnRecord() == plan, "also with a new day and a new month")
            }
            let withKey = try await workers.older.admit(workers.request(claiming: nil, after: 6 * 86_400))
            #expect(withKey.usage.plan == plan ?? "free" && !withKey.planIsUnknown)
        }
    }

    @Test func aMonthThatAWorkerBeginsWhichDoesNotKnowThePlanKeepsIt() async throws {
        try await withWorkers { workers in
            _ = try await workers.newer.admit(workers.request(claiming: "gold"))
            let decision = try await workers.older.admit(workers.request(claiming: nil, after: 6 * 86_400))
            #expect(decision.usage.count == 1 && decision.planIsUnknown)
            let record = try await workers.gateway.hash("usage:{user_abc}")
            #expect(record["plan"] == "gold" && record["periodStart"] == "2025-12-01")
            let next = try await workers.newer.admit(workers.request(claiming: nil, after: 6 * 86_400))
            #expect(next.usage.plan == "gold" && next.usage.count == 2)
        }
    }

    @Test func aSubscriptionToItDecidesWhereItIsKnown() async throws {
        try await withWorkers { workers in
            try await workers.gateway.client.send("HSET subscription:{user_abc} plan gold status active")
            for isOlder in [true, false, true, true, false] {
                let store = isOlder ? workers.older : workers.newer
                let before = try await workers.planOnRecord()
                for plan in [nil, "paid"] {
                    let decision = try await store.admit(workers.request(claiming: plan, cost: 0))
                    #expect(decision.usage.plan == (isOlder ? "free" : "gold"))
                }
                #expect(try await workers.planOnRecord() == (isOlder ? before : "gold"))
            }
        }
    }

    @Test func theCountIsOneForAllAndEachJudgesItByItsOwnPlan() async throws {
        try await withWorkers { workers in
            for count in 1...10 {
                let decision = try await workers.newer.admit(workers.request(claiming: count == 1 ? "gold" : nil))
                #expect(decision.usage.count == count)
            }
            let changes = try await workers.gateway.changes {
                let decision = try await workers.older.admit(workers.request(claiming: nil))
                #expect(decision.outcome == .quotaExceeded && decision.planIsUnknown && decision.usage.count == 10)
            }
            #expect(changes == [KeyGateway.tenDays], "\(changes)")
            #expect(try await workers.newer.admit(workers.request(claiming: nil)).usage.count == 11)
        }
    }
}
