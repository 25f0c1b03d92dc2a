import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// What the store is asked, what its answers mean, and how a request ends.
@Suite struct DecisionFlowTests {
    /// A flow that has asked the store on behalf of a session token.
    private static func asked(
        _ fixture: AdmissionFixture, _ flow: AdmissionFlow, _ question: String = "ask"
    ) -> AdmissionFlow {
        var flow = flow
        fixture.tell(
            [(.begins(.token), "verify session token"), (.verified(.success(fixture.token())), question)], to: &flow)
        return flow
    }

    @Test func everyOutcomeHasItsAnswer() throws {
        let fixture = try AdmissionFixture()
        let rows: [(AdmissionDecision.Outcome, String)] = [
            (.admitted, "admit"), (.rateLimited, "429 rate-limit-exceeded"), (.quotaExceeded, "403 quota-exceeded"),
            (.keyRefused(.unknown), "401 key-unknown"), (.keyRefused(.revoked), "401 key-revoked"),
            (.keyRefused(.expired), "401 key-expired"), (.keyRefused(.scopeMissing), "403 scope-missing"),
            (.keyRefused(.addressNotAllowed), "403 address-not-allowed"),
            (.idempotencyKeyReused, "422 idempotency-key-reused"), (.idempotencyKeyInUse, "409 idempotency-key-in-use"),
        ]
        for (outcome, expected) in rows {
            var flow = Self.asked(fixture, fixture.flow())
            fixture.tell([(.decided(.success(fixture.decision(outcome))), expected)], to: &flow)
            #expect((flow.admitted != nil) == (outcome == .admitted))
        }
        #expect(fixture.count(of: "tollgate_admissions_total{outcome=\"rate_limited\"}") == 1)
        #expect(fixture.failures("key-revoked") == 1)
    }

    /// What of a policy the store learns.
    @Test func theQuestionSaysWhatThePolicySays() throws {
        let fixture = try AdmissionFixture()
        let scope = try #require(KeyScope("read"))
        var free = try fixture.flow {
            $0.cost = 0
            $0.charge = .success
        }
        free = Self.asked(fixture, free)
        #expect(free.request?.cost == 0 && free.request?.reservation == nil)
        var route = try fixture.flow {
            $0.name = "orders"
            $0.cost = 3
            $0.charge = .success
            $0.ratePerMinute = 7
            $0.requiredScopes = [scope]
        }
        route = Self.asked(fixture, route, "ask giving back")
        let request = try #require(route.request)
        #expect(request.cost == 3 && request.route == "orders" && request.requiredScopes == [scope])
        #expect(request.routeLimit?.ratePerMinute == 7 && request.quotaPolicy == .enforce)
        #expect(request.reservation?.leaseSeconds == route.policy.leaseSeconds)
        #expect(request.time == AdmissionFixture.start)
    }

    @Test func eachPurposeIsBookedUnderItsName() throws {
        let fixture = try AdmissionFixture()
        let endpoint = AdmissionPolicy.endpoint("keys", cost: 0, quotaPolicy: .countWhileSomeIsLeft)
        let rows: [(AdmissionFlow, String, String)] = [
            (fixture.flow(.verifyAuth), "verify-auth", "ask"), (fixture.flow(.authorize), "authorize", "ask"),
            (fixture.flow(.authorize, try fixture.flow { $0.charge = .success }.policy), "api", "ask"),
            (fixture.flow(.endpoint, endpoint), "keys", "ask"),
            (fixture.flow(.endpoint, .endpoint("get-credentials")), "get-credentials", "ask giving back"),
            (fixture.flow(.endpoint, .onlyTelling), "other", "ask"),
        ]
        for (flow, name, question) in rows {
            #expect(Self.asked(fixture, flow, question).request?.route == name)
        }
    }

    // MARK: Another time

    @Test func theStoreIsAskedOnceMoreWhenClocksDiffer() throws {
        let fixture = try AdmissionFixture()
        var flow = Self.asked(fixture, fixture.flow())
        let later = AdmissionFixture.start.adding(seconds: 5)
        #expect(flow.after(.decided(.failure(.clockDiffers)), at: later, from: fixture.network) == "ask")
        #expect(flow.request?.time == later, "with the time that is right by now")
        var other = flow
        fixture.tell([(.decided(.success(fixture.decision())), "admit")], to: &flow)
        fixture.tell([(.decided(.failure(.clockDiffers)), "503 service-unavailable")], to: &other)
    }

    @Test func anErrorOfTheStoreRefusesAndIsTold() throws {
        let fixture = try AdmissionFixture()
        for (error, isTold) in [(StoreUnavailable.away, false), (.wrongType, true), (.outOfMemory, true)] {
            var flow = Self.asked(fixture, fixture.flow())
            let before = fixture.log.lines.count
            fixture.tell([(.decided(.failure(error)), "503 service-unavailable")], to: &flow)
            #expect((fixture.log.lines.count > before) == isTold)
        }
        #expect(fixture.count(of: "tollgate_store_unavailable_total") == 3)
    }

    @Test func oddValuesAreTold() throws {
        let fixture = try AdmissionFixture()
        var flow = Self.asked(fixture, fixture.flow())
        let odd = fixture.decision(oddities: [.count, .planUnknown])
        fixture.tell([(.decided(.success(odd)), "admit")], to: &flow)
        #expect(fixture.log.lines.contains { $0.contains("look-at=usage:{user_abc}") })
        #expect(fixture.log.lines.contains { $0.contains("plan unknown") })
        #expect(fixture.count(of: "tollgate_odd_values_total") == 1)
    }

    // MARK: The end of a call

    @Test func aReservedCallEndsOnce() throws {
        let fixture = try AdmissionFixture()
        let ends: [(Reservation.Outcome, String)] = [(.keep, "keep r1"), (.giveBack, "give back r1")]
        for (outcome, expected) in ends {
            var flow = Self.asked(fixture, try fixture.flow { $0.charge = .success }, "ask giving back")
            fixture.tell(
                [
                    (.decided(.success(fixture.decision(reservation: fixture.reservation()))), "admit"),
                    (.ended(outcome), expected), (.ended(.giveBack), "-"),
                ], to: &flow)
        }
        var free = Self.asked(fixture, fixture.flow())
        fixture.tell([(.decided(.success(fixture.decision())), "admit"), (.ended(.keep), "-")], to: &free)
    }

    /// A client may go at any moment. What the store has charged for its call goes back, and nothing further is done.
    @Test func aClientThatGoesIsNotServed() throws {
        let fixture = try AdmissionFixture()
        let key = Event.begins(.token, idempotencyKeys: ["k"])
        let verified = Event.verified(.success(fixture.token()))
        let reserved = Event.decided(
            .success(fixture.decision(reservation: fixture.reservation(idempotencyKey: "k"))))
        let replayed = Event.decided(.success(fixture.decision(.replayed)))
        let answer = StoredAnswer(status: 200, head: [], body: [])
        let stories: [Story] = [
            [(key, "verify session token"), (.clientGone, "-"), (verified, "-")],
            [(key, "verify session token"), (verified, "gather"), (.clientGone, "-"), (.bodyGathered("f"), "-")],
            [
                (key, "verify session token"), (verified, "gather"), (.bodyGathered("f"), "ask for k giving back"),
                (.clientGone, "-"), (reserved, "give back r1"), (.ended(.keep), "-"),
            ],
            [
                (key, "verify session token"), (verified, "gather"), (.bodyGathered("f"), "ask for k giving back"),
                (.clientGone, "-"), (.decided(.failure(.clockDiffers)), "-"),
            ],
            [
                (key, "verify session token"), (verified, "gather"), (.bodyGathered("f"), "ask for k giving back"),
                (replayed, "read k"), (.clientGone, "-"), (.storedAnswer(.success(answer)), "-"),
            ],
            [
                (key, "verify session token"), (verified, "gather"), (.bodyGathered("f"), "ask for k giving back"),
                (reserved, "admit"), (.clientGone, "-"), (.ended(.keep), "keep r1"),
            ],
        ]
        for story in stories {
            var flow = try fixture.flow {
                $0.charge = .success
                $0.idempotency = .replay
            }
            fixture.tell(story, to: &flow)
            #expect(flow.isOver)
        }
        let ticket = try #require(Ticket(owner: fixture.user, secret: [UInt8](repeating: 1, count: 20))).text[...]
        var redeeming = fixture.flow()
        fixture.tell(
            [
                (.begins(Presented(tickets: [ticket])), "redeem"), (.clientGone, "-"),
                (.redeemed(.success(fixture.token())), "-"),
            ], to: &redeeming)
    }

    // MARK: The control plane's endpoints

    @Test func aFullMinuteKeepsNobodyFromEndingAKey() throws {
        let fixture = try AdmissionFixture()
        for (endsKey, expected) in [(true, "admit"), (false, "429 rate-limit-exceeded")] {
            let policy = AdmissionPolicy.endpoint("keys", cost: 0, endsKey: endsKey)
            var flow = Self.asked(fixture, fixture.flow(.endpoint, policy))
            fixture.tell([(.decided(.success(fixture.decision(.rateLimited))), expected)], to: &flow)
        }
    }

    /// Only a caller who is not let in at all is refused where it is asked how the limits stand, and nothing is counted.
    @Test func limitsAreToldWhenTheyAreUsedUp() throws {
        let rows: [(Result<AdmissionDecision.Outcome, StoreUnavailable>, String)] = [
            (.success(.admitted), "admit"), (.success(.rateLimited), "admit"), (.success(.quotaExceeded), "admit"),
            (.success(.keyRefused(.revoked)), "401 key-revoked"), (.failure(.away), "503 service-unavailable"),
        ]
        let fixture = try AdmissionFixture()
        for (outcome, expected) in rows {
            var flow = Self.asked(fixture, fixture.flow(.endpoint, .onlyTelling))
            fixture.tell([(.decided(outcome.map { fixture.decision($0) }), expected)], to: &flow)
        }
        #expect(fixture.count(of: "tollgate_admissions_total{outcome=\"admitted\"}") == 0)
        #expect(fixture.failures("key-revoked") == 1)
    }

    /// What an endpoint is asked with is not remembered: there are few such calls, and their keys may do a lot.
    @Test func endpointsTeachNothing() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        var flow = fixture.flow(.endpoint, .endpoint("usage", cost: 0))
        fixture.tell([(.begins(key), "ask"), (.decided(.success(fixture.decision())), "admit")], to: &flow)
        let principal = try #require(flow.principal)
        #expect(!fixture.state.outage.isKnown(principal.credential))
        #expect(fixture.state.keyMemory.principal(for: try #require(key.presentation)) == nil)
    }
}
