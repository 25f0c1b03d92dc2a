import HTTPWire
import NIOCore
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// Requests that bear an `Idempotency-Key`.
@Suite struct RepeatFlowTests {
    private static let begins = Event.begins(.token, idempotencyKeys: ["k"])
    private static let answer = StoredAnswer(status: 201, head: [], body: [])

    /// A flow that has asked the store about an attempt.
    private static func asked(_ fixture: AdmissionFixture) throws -> AdmissionFlow {
        var flow = try fixture.flow { $0.idempotency = .replay }
        fixture.tell(
            [
                (begins, "verify session token"), (.verified(.success(fixture.token())), "gather"),
                (.bodyGathered("f"), "ask for k reserving"),
            ], to: &flow)
        return flow
    }

    @Test func oneKeyIsAccepted() throws {
        let fixture = try AdmissionFixture()
        for keys in [["a", "b"], ["a b"], ["{a}"], [""], [String(repeating: "a", count: 256)]] {
            var flow = fixture.flow()
            let action = flow.after(.begins(.token, idempotencyKeys: keys), from: fixture.network)
            #expect(action == "400 bad-idempotency-key", "\(keys)")
        }
        var quoted = fixture.flow()
        fixture.tell(
            [
                (.begins(.token, idempotencyKeys: ["\"k\""]), "verify session token"),
                (.verified(.success(fixture.token())), "gather"), (.bodyGathered("f"), "ask for k reserving"),
            ], to: &quoted)
    }

    /// A key makes a difference where the outcome is seen, and the charge or the answer hangs on it.
    @Test func notEveryRequestHasRepeats() throws {
        let fixture = try AdmissionFixture()
        #expect(fixture.flow(.verifyAuth).honoursIdempotencyKeys)
        #expect(!fixture.flow(.authorize).honoursIdempotencyKeys)
        #expect(!fixture.flow(.endpoint, .endpoint("keys")).honoursIdempotencyKeys)
        let rows: [(Route.Authentication, cost: Int, Route.Idempotency, isHonoured: Bool)] = [
            (.any, 1, .retry, true), (.any, 0, .retry, false), (.any, 0, .replay, true), (.none, 1, .replay, false),
        ]
        for (authentication, cost, idempotency, isHonoured) in rows {
            let flow = try fixture.flow {
                $0.authentication = authentication
                $0.cost = cost
                $0.idempotency = idempotency
            }
            #expect(flow.honoursIdempotencyKeys == isHonoured, "\(authentication), \(cost), \(idempotency)")
        }
    }

    @Test func aBodyThatIsTooLongMakesAnOrdinaryCall() throws {
        let fixture = try AdmissionFixture()
        var flow = fixture.flow()
        fixture.tell(
            [
                (Self.begins, "verify session token"), (.verified(.success(fixture.token())), "gather"),
                (.bodyGathered(nil), "ask"), (.decided(.success(fixture.decision())), "admit"),
            ], to: &flow)
        #expect(!flow.keepsAnswer)
    }

    @Test func anAttemptKeepsItsAnswerForRepeats() throws {
        let fixture = try AdmissionFixture()
        var flow = try Self.asked(fixture)
        let reservation = fixture.reservation(idempotencyKey: "k")
        fixture.tell([(.decided(.success(fixture.decision(reservation: reservation))), "admit")], to: &flow)
        #expect(flow.keepsAnswer)
        let answer = try #require(Self.answer)
        fixture.tell([(.ended(.keepAndReplay(answer)), "keep and replay r1")], to: &flow)
        var retried = try fixture.flow { $0.idempotency = .retry }
        fixture.tell(
            [
                (Self.begins, "verify session token"), (.verified(.success(fixture.token())), "gather"),
                (.bodyGathered("f"), "ask for k reserving"),
                (.decided(.success(fixture.decision(reservation: reservation))), "admit"),
            ], to: &retried)
        #expect(!retried.keepsAnswer, "its repeats are carried out")
    }

    @Test func aRepeatGetsTheAnswerAgain() throws {
        let fixture = try AdmissionFixture()
        var flow = try Self.asked(fixture)
        fixture.tell(
            [
                (.decided(.success(fixture.decision(.replayed))), "read k"),
                (.storedAnswer(.success(Self.answer)), "replay 201"),
            ], to: &flow)
        #expect(flow.admitted != nil, "the answer tells of the limits")
    }

    @Test func anAnswerThatWasForgottenIsAskedForOnceMore() throws {
        let fixture = try AdmissionFixture()
        var flow = try Self.asked(fixture)
        fixture.tell(
            [
                (.decided(.success(fixture.decision(.replayed))), "read k"),
                (.storedAnswer(.success(nil)), "ask for k reserving"),
                (.decided(.success(fixture.decision(reservation: fixture.reservation(idempotencyKey: "k")))), "admit"),
            ], to: &flow)
        #expect(fixture.log.lines.isEmpty)
    }

    @Test func anAnswerThatIsDamagedIsLeftOut() throws {
        let fixture = try AdmissionFixture()
        var flow = try Self.asked(fixture)
        fixture.tell(
            [
                (.decided(.success(fixture.decision(.replayed))), "read k"),
                (.storedAnswer(.success(nil)), "ask for k reserving"),
                (.decided(.success(fixture.decision(.replayed))), "read k"), (.storedAnswer(.success(nil)), "ask"),
                (.decided(.success(fixture.decision())), "admit"),
            ], to: &flow)
        let lines = fixture.log.lines
        #expect(lines.contains { $0.contains("look-at=idempotency:{user_abc}:{k}") }, "\(lines)")
    }

    @Test func withoutTheStoreNothingIsReplayed() throws {
        let fixture = try AdmissionFixture()
        var flow = try Self.asked(fixture)
        fixture.tell(
            [
                (.decided(.success(fixture.decision(.replayed))), "read k"),
                (.storedAnswer(.failure(.away)), "503 service-unavailable"),
            ], to: &flow)
    }

    // MARK: The fingerprint

    @Test func aFingerprintIsOfMethodAddressAndBody() throws {
        func fingerprint(_ method: String, _ address: String, _ body: String, isWhole: Bool = true) -> String? {
            var gathered = BufferedBody(.chunked)
            gathered.append(ByteBuffer(string: body))
            if isWhole { gathered.end(trailers: .none) }
            return RequestFingerprint.text(method: method, address: address, body: gathered)
        }
        let one = try #require(fingerprint("POST", "a/b?c=d", "body"))
        #expect(one == fingerprint("POST", "a/b?c=d", "body"))
        #expect(one == fingerprint("POST", "a/b?c=d&tollgate_ticket=tkt_1", "body"), "each has a ticket of its own")
        for other in [
            fingerprint("PUT", "a/b?c=d", "body"), fingerprint("POST", "a/b?c=e", "body"),
            fingerprint("POST", "a/b?c=d", "bodx"),
        ] {
            #expect(other != nil && other != one)
        }
        #expect(fingerprint("POST", "a", "body", isWhole: false) == nil)
        #expect(fingerprint("POST", "a", String(repeating: "a", count: IdempotentCall.maximumBodyBytes + 1)) == nil)
    }
}
