import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// Requests that the store cannot be asked about.
@Suite struct OutageFlowTests {
    private static func open(
        _ fixture: AdmissionFixture, _ change: (inout Route) -> Void = { _ in }
    ) throws -> AdmissionFlow {
        try fixture.flow {
            $0.onRedisDown = .open
            change(&$0)
        }
    }

    private static func asked(
        _ fixture: AdmissionFixture, _ flow: AdmissionFlow, by presented: Presented = .token, _ question: String = "ask"
    ) -> AdmissionFlow {
        var flow = flow
        if presented.apiKey.isEmpty {
            fixture.tell(
                [(.begins(presented), "verify session token"), (.verified(.success(fixture.token())), question)],
                to: &flow)
        } else {
            fixture.tell([(.begins(presented), question)], to: &flow)
        }
        return flow
    }

    @Test func onlyAnOpenRoutePasses() throws {
        let scope = try #require(KeyScope("read"))
        let rows: [((inout Route) -> Void, StoreUnavailable, String)] = [
            ({ $0.onRedisDown = .open }, .away, "admit"),
            ({ $0.onRedisDown = .closed }, .away, "503 service-unavailable"),
            // It is there, and does not decide.
            ({ $0.onRedisDown = .open }, .wrongType, "503 service-unavailable"),
            // A token has every scope.
            (
                {
                    $0.onRedisDown = .open
                    $0.requiredScopes = [scope]
                }, .away, "admit"
            ),
        ]
        for (change, error, expected) in rows {
            let fixture = try AdmissionFixture()
            var flow = Self.asked(fixture, try fixture.flow(change))
            fixture.tell([(.decided(.failure(error)), expected)], to: &flow)
            #expect(flow.isDegraded == (expected == "admit"))
            #expect(fixture.count(of: "tollgate_degraded_admissions_total") == (flow.isDegraded ? 1 : 0))
        }
    }

    /// Of a key it must be known that it was good, and not for what.
    @Test func aKeyPassesThatTheStoreHasAdmitted() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        let scope = try #require(KeyScope("read"))
        func pass(_ expected: String, _ change: (inout Route) -> Void = { _ in }) throws {
            var flow = Self.asked(fixture, try Self.open(fixture, change), by: key)
            fixture.tell([(.decided(.failure(.away)), expected)], to: &flow)
        }
        func decide(_ outcome: AdmissionDecision.Outcome, _ expected: String) throws {
            var flow = Self.asked(fixture, try Self.open(fixture), by: key)
            fixture.tell([(.decided(.success(fixture.decision(outcome))), expected)], to: &flow)
        }
        try pass("503 service-unavailable")
        try decide(.admitted, "admit")
        try pass("admit")
        try pass("503 service-unavailable") { $0.requiredScopes = [scope] }
        try decide(.keyRefused(.scopeMissing), "403 scope-missing")
        try pass("admit")
        try decide(.keyRefused(.expired), "401 key-expired")
        try pass("503 service-unavailable")
    }

    @Test func aRepeatDoesNotPassWhereItsAnswerIsKept() throws {
        for (idempotency, expected) in [
            (Route.Idempotency.replay, "503 service-unavailable"), (.retry, "admit"),
        ] {
            let fixture = try AdmissionFixture()
            var flow = try Self.open(fixture) { $0.idempotency = idempotency }
            fixture.tell(
                [
                    (.begins(.token, idempotencyKeys: ["k"]), "verify session token"),
                    (.verified(.success(fixture.token())), "gather"), (.bodyGathered("f"), "ask for k reserving"),
                    (.decided(.failure(.away)), expected),
                ], to: &flow)
        }
    }

    /// What the store has said last of the minute counts on.
    @Test func noMorePassThanTheRateAllows() throws {
        let fixture = try AdmissionFixture()
        var before = Self.asked(fixture, try Self.open(fixture))
        fixture.tell([(.decided(.success(fixture.decision(rate: 98))), "admit")], to: &before)
        for expected in ["admit", "admit", "503 service-unavailable"] {
            var flow = Self.asked(fixture, try Self.open(fixture))
            fixture.tell([(.decided(.failure(.away)), expected)], to: &flow)
        }
    }

    @Test func aRefusedKeySaysNothingOfItsUser() throws {
        let fixture = try AdmissionFixture()
        var refused = Self.asked(fixture, try Self.open(fixture), by: .key(try fixture.key().text))
        let decision = fixture.decision(.keyRefused(.unknown), rate: 100)
        fixture.tell([(.decided(.success(decision)), "401 key-unknown")], to: &refused)
        var flow = Self.asked(fixture, try Self.open(fixture))
        fixture.tell([(.decided(.failure(.away)), "admit")], to: &flow)
    }

    // MARK: What is booked

    @Test func whatPassesIsBooked() throws {
        let rows: [((inout Route) -> Void, String, StoreUnavailable, Reservation.Outcome, booked: Int)] = [
            ({ _ in }, "ask", .away, .giveBack, 1), ({ $0.cost = 3 }, "ask", .away, .keep, 3),
            ({ $0.cost = 0 }, "ask", .away, .keep, 0),
            // Redis may have charged it.
            ({ _ in }, "ask", .awayAfterItWasAsked, .keep, 0),
            ({ $0.charge = .success }, "ask giving back", .away, .keep, 1),
            ({ $0.charge = .success }, "ask giving back", .away, .giveBack, 0),
            // What Redis may have reserved goes back.
            ({ $0.charge = .success }, "ask giving back", .awayAfterItWasAsked, .keep, 1),
        ]
        for (place, (change, question, error, outcome, booked)) in rows.enumerated() {
            let fixture = try AdmissionFixture()
            var flow = Self.asked(fixture, try Self.open(fixture, change), question)
            fixture.tell(
                [(.decided(.failure(error)), "admit"), (.ended(outcome), "-"), (.ended(.keep), "-")], to: &flow)
            #expect(fixture.state.outage.counts.waiting == booked, "row \(place + 1)")
            let isLeft = error.mayBeDone && booked == 0
            #expect(fixture.count(of: "tollgate_outage_calls_left_to_redis_total") == (isLeft ? 1 : 0))
        }
    }
}
