import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Calls that may be repeated, and calls that are given back.
@Suite struct RepeatedCallTests {
    private static let time = KeyGateway.time

    private static func request(
        _ gateway: KeyGateway, key: String? = nil, fingerprint: String = "a", reservation: String? = nil,
        after seconds: Int64 = 0, route: RouteLimit? = nil
    ) throws -> AdmissionRequest {
        AdmissionRequest(
            principal: Principal(userID: gateway.user), time: time.adding(seconds: seconds),
            idempotentCall: try key.map { try #require(IdempotentCall(key: $0, fingerprint: fingerprint)) },
            reservation: try reservation.map { try #require(Reservation.Request(id: $0, leaseSeconds: 30)) },
            routeLimit: route)
    }

    @Test func repeatsTakeAPlaceInTheMinuteAndCostNothing() async throws {
        try await KeyGateway.run { gateway in
            let route = try #require(RouteLimit(route: "reports", ratePerMinute: 50))
            let first = try await gateway.admissions.admit(Self.request(gateway, key: "k", route: route))
            #expect(first.outcome == .admitted && !first.isRepeat)
            for count in 2...(IdempotentCall.maximumRepeats + 1) {
                let again = try await gateway.otherAdmissions.admit(Self.request(gateway, key: "k", route: route))
                #expect(again.outcome == .admitted && again.isRepeat)
                #expect(again.usage.count == 1 && again.rate.count == count && again.routeRate?.count == count)
            }
            let further = try await gateway.admissions.admit(Self.request(gateway, key: "k"))
            #expect(!further.isRepeat && further.usage.count == 2, "repeated often enough")
            let other = try await gateway.admissions.admit(Self.request(gateway, key: "k", fingerprint: "b"))
            #expect(other.outcome == .idempotencyKeyReused && other.usage.count == 2)
            let dayLater = try await gateway.admissions.admit(
                Self.request(gateway, key: "k", fingerprint: "b", after: IdempotentCall.keptSeconds))
            #expect(dayLater.outcome == .admitted && !dayLater.isRepeat && dayLater.usage.count == 3)
        }
    }

    @Test func reservationsEndOnce() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let kept = try #require(try await store.admit(Self.request(gateway, reservation: "r1")).reservation)
            let back = try #require(try await store.admit(Self.request(gateway, reservation: "r2")).reservation)
            #expect(try await gateway.count() == 2)
            #expect(try await store.settle(kept, as: .keep))
            #expect(try await store.settle(back, as: .giveBack))
            #expect(try await store.settle(back, as: .giveBack) == false)
            #expect(try await gateway.count() == 1)
        }
    }

    @Test func attemptsAtOneCallShareACharge() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let first = try await store.admit(Self.request(gateway, key: "k", reservation: "r1"))
            let second = try await store.admit(Self.request(gateway, key: "k", reservation: "r2"))
            #expect(second.isRepeat)
            #expect(try await store.settle(#require(first.reservation), as: .giveBack))
            #expect(try await gateway.count() == 1, "the other attempt is still under way")
            #expect(try await store.settle(#require(second.reservation), as: .giveBack))
            #expect(try await gateway.count() == 0)
            let anew = try await store.admit(Self.request(gateway, key: "k", reservation: "r3"))
            #expect(!anew.isRepeat && anew.usage.count == 1)
            #expect(try await store.settle(#require(anew.reservation), as: .keep))
            let repeated = try await store.admit(Self.request(gateway, key: "k", reservation: "r4"))
            #expect(repeated.isRepeat && repeated.reservation == nil, "there is nothing to give back any more")
        }
    }

    @Test func leasesThatRunOutGiveBackWithTheNextCall() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            _ = try await store.admit(Self.request(gateway, reservation: "r1"))
            _ = try await store.admit(Self.request(gateway, reservation: "r2", after: 20))
            #expect(try await gateway.hash("usage:{user_abc}")["reservedUntil"] == "2025-11-26T23:00:30Z")
            #expect(try await store.admit(Self.request(gateway, after: 29)).usage.count == 3)
            #expect(try await store.admit(Self.request(gateway, after: 30)).usage.count == 3, "one back, one more")
            #expect(try await gateway.hash("usage:{user_abc}")["reservedUntil"] == "2025-11-26T23:00:50Z")
            #expect(try await store.admit(Self.request(gateway, after: 60)).usage.count == 3)
            #expect(try await gateway.hash("usage:{user_abc}")["reservedUntil"] == nil)
            #expect(try await gateway.client.send("EXISTS reservations:{user_abc}").integer == 0)
        }
    }

    @Test func theRecordFollowsPlanAndPeriod() async throws {
        try await KeyGateway.run { gateway in
            func admit(_ plan: String?, after seconds: Int64) async throws {
                _ = try await gateway.admissions.admit(
                    AdmissionRequest(
                        principal: Principal(userID: gateway.user, claimedPlan: plan),
                        time: Self.time.adding(seconds: seconds)))
            }
            try await admit("free", after: 0)
            try await admit("paid", after: 1)
            #expect(try await gateway.hash("usage:{user_abc}")["plan"] == "paid")
            try await admit(nil, after: 2)
            let record = try await gateway.hash("usage:{user_abc}")
            #expect(record["lastUpdated"] == "2025-11-26T23:00:02Z" && record["usageCount"] == "3")
            try await gateway.client.send("HDEL usage:{user_abc} periodEnd")
            try await admit(nil, after: 3)
            #expect(try await gateway.hash("usage:{user_abc}")["periodEnd"] == "2025-11-30", "repaired")
            try await admit(nil, after: 5 * 86_400)
            #expect(
                try await gateway.hash("usage:{user_abc}") == [
                    "usageCount": "1", "plan": "paid", "lastUpdated": "2025-12-01T23:00:00Z",
                    "periodStart": "2025-12-01", "periodEnd": "2025-12-31",
                ])
        }
    }
}
