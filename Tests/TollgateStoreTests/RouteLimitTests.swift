import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct RouteLimitTests {
    private static let time = KeyGateway.time
    private static let plans = Result { try PlanTable([Plan(name: "free", quota: 1000, ratePerMinute: 6)]) }

    private static func request(
        _ principal: Principal, route: String = "reports", rate: Int, after seconds: Int64 = 0
    ) throws -> AdmissionRequest {
        let limit: RouteLimit = try #require(RouteLimit(route: route, ratePerMinute: rate))
        return AdmissionRequest(
            principal: principal, time: time.adding(seconds: seconds), routeLimit: limit)
    }

    @Test func routesHaveRatesOfTheirOwn() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let principals = [
                Principal(userID: gateway.user), Principal(try await gateway.makeKey().key),
            ]
            for (minute, principal) in principals.enumerated() {
                let after = Int64(minute) * 60
                for count in 1...2 {
                    let decision = try await gateway.admissions.admit(
                        Self.request(principal, rate: 2, after: after))
                    #expect(decision.outcome == .admitted)
                    #expect(decision.rate.count == count && decision.routeRate?.count == count)
                    #expect(decision.routeRate?.remaining == 2 - count)
                }
                let refused = try await gateway.admissions.admit(
                    Self.request(principal, rate: 2, after: after + 50))
                #expect(refused.outcome == .rateLimited)
                #expect(refused.rate.count == 2 && refused.routeRate?.count == 2, "nothing was charged")
                #expect(refused.retryAfterSeconds(at: Self.time.adding(seconds: after + 50)) == 10)
                let peek = try await gateway.admissions.peek(Self.request(principal, rate: 2, after: after))
                #expect(peek.outcome == .rateLimited && peek.routeRate == refused.routeRate)
                let other = try await gateway.admissions.admit(
                    Self.request(principal, route: "search", rate: 2, after: after))
                #expect(other.outcome == .admitted && other.routeRate?.count == 1)
                #expect(try await gateway.count() == 3 * (minute + 1))
            }
        }
    }

    @Test func bothRatesAreChargedOrNone() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let principal = Principal(userID: gateway.user)
            for _ in 0..<6 { _ = try await gateway.admissions.admit(Self.request(principal, rate: 100)) }
            let refused = try await gateway.admissions.admit(Self.request(principal, rate: 100))
            #expect(refused.outcome == .rateLimited && refused.routeRate?.count == 6)
            #expect(try await gateway.client.send("GET ratelimit:{user_abc}:reports:29403300").string == "6")
            #expect(try await gateway.client.send("GET ratelimit:{user_abc}:29403300").string == "6")
            let life = try await gateway.client.send("TTL ratelimit:{user_abc}:reports:29403300").integer ?? 0
            #expect((100...120).contains(life))
            let window = RateWindow(containing: Self.time)
            #expect(
                RedisKey.rateLimit(gateway.user, route: "reports", window).text
                    == "ratelimit:{user_abc}:reports:29403300")
        }
    }

    @Test func aRateOfZeroLetsNobodyIn() async throws {
        try await KeyGateway.run { gateway in
            let decision = try await gateway.admissions.admit(
                Self.request(Principal(userID: gateway.user), rate: 0))
            #expect(decision.outcome == .rateLimited)
            #expect(try await gateway.client.send("DBSIZE").integer == 0)
        }
    }

    @Test func refusedKeysLearnNothingOfTheRoute() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            _ = try await gateway.admissions.admit(Self.request(Principal(issued.key), rate: 5))
            #expect(try await gateway.keys.revoke(issued.key.id, of: gateway.user, at: Self.time) == .revoked)
            let decision = try await gateway.admissions.admit(Self.request(Principal(issued.key), rate: 5))
            #expect(decision.outcome == .keyRefused(.revoked))
            #expect(decision.routeRate?.count == 0 && decision.rate.count == 0)
        }
    }

    @Test func twoWorkersTogetherAdmitExactlyTheLimit() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 100_000, ratePerMinute: 100_000)])
        try await KeyGateway.run(plans: plans) { gateway in
            let request = try Self.request(Principal(userID: gateway.user), rate: 120)
            let admitted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<600 {
                    let store = number.isMultiple(of: 2) ? gateway.admissions : gateway.otherAdmissions
                    group.addTask { try await store.admit(request).outcome == .admitted }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 120)
            #expect(try await gateway.count() == 120)
        }
    }

    @Test func limitsThatCannotStandInAKeyAreRefused() {
        for name in ["", "Reports", "a b", "a:1", "a}", String(repeating: "a", count: 65)] {
            #expect(RouteLimit(route: name, ratePerMinute: 1) == nil, "\(name)")
        }
        #expect(RouteLimit(route: "a", ratePerMinute: -1) == nil)
        #expect(RouteLimit(route: "a", ratePerMinute: Plan.maximumLimit + 1) == nil)
        #expect(RouteLimit(route: "a", ratePerMinute: Plan.maximumLimit)?.ratePerMinute == Plan.maximumLimit)
    }

    @Test func oneCommandDecides() async throws {
        try await KeyGateway.run { gateway in
            let principal = Principal(userID: gateway.user)
            _ = try await gateway.admissions.admit(Self.request(principal, rate: 50))
            try await gateway.client.send("CONFIG RESETSTAT")
            for _ in 0..<3 { _ = try await gateway.admissions.admit(Self.request(principal, rate: 50)) }
            #expect(try await gateway.client.calls(of: "evalsha") == 3)
            #expect(try await gateway.client.calls(of: "eval") == 0)
        }
    }
}
