import Hiredis
import NIOCore
import NIOPosix
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Calls that may be repeated, and calls that are given back.
@Suite struct RepeatedCallTests {
    private static let time = KeyGateway.time
    private static let plans = Result {
        try PlanTable([Plan(name: "free", quota: 100_000, ratePerMinute: 100_000)])
    }

    private static func request(
        _ gateway: KeyGateway, key: String? = nil, fingerprint: String = "a", reservation: String? = nil,
        givesBack: Bool = true, after seconds: Int64 = 0, route: RouteLimit? = nil
    ) throws -> AdmissionRequest {
        AdmissionRequest(
            principal: Principal(userID: gateway.user), time: time.adding(seconds: seconds),
            idempotentCall: try key.map { try #require(IdempotentCall(key: $0, fingerprint: fingerprint)) },
            reservation: try reservation.map {
                try #require(Reservation.Request(id: $0, leaseSeconds: 30, givesBack: givesBack))
            },
            routeLimit: route)
    }

    private static func answer(bytes count: Int = 4) throws -> Reservation.Outcome {
        .keepAndReplay(
            try #require(
                StoredAnswer(
                    status: 200, head: Array("HTTP/1.1 200 OK\r\n".utf8), body: [UInt8](repeating: 0, count: count))))
    }

    @Test(arguments: [true, false]) func oneAttemptAtATime(givesBack: Bool) async throws {
        try await KeyGateway.run { gateway in
            let first = try await gateway.admissions.admit(
                Self.request(gateway, key: "k", reservation: "r1", givesBack: givesBack))
            #expect(first.outcome == .admitted && !first.isRepeat && first.reservation != nil)
            for seconds in [0, 29] as [Int64] {
                let second = try await gateway.otherAdmissions.admit(
                    Self.request(gateway, key: "k", reservation: "r2", givesBack: givesBack, after: seconds))
                #expect(second.outcome == .idempotencyKeyInUse && second.reservation == nil)
                #expect(second.usage.count == 1 && second.rate.count == 1, "refused: nothing was charged")
                #expect(second.retryAfterSeconds(at: Self.time) == 1)
            }
            // The end of the first is not known, so this one is free.
            let later = try await gateway.otherAdmissions.admit(
                Self.request(gateway, key: "k", reservation: "r3", givesBack: givesBack, after: 30))
            #expect(later.outcome == .admitted && later.usage.count == 1)
            // Should the first come to an end after all, it makes no difference.
            #expect(try await gateway.admissions.settle(#require(first.reservation), as: Self.answer()) == false)
            #expect(try await gateway.hash("idempotency:{user_abc}:{k}")["state"] == "open")
            #expect(try await gateway.admissions.settle(#require(later.reservation), as: .keep))
            #expect(try await gateway.count() == 1)
        }
    }

    /// A sweep gives back so many at a time, and the attempt of a repeat may not be among them yet.
    @Test func aRepeatIsNotPaidByWhatIsStillToBeGivenBack() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            for number in 100...260 {
                _ = try await gateway.admissions.admit(
                    Self.request(gateway, key: "k\(number)", reservation: "r\(number)"))
            }
            #expect(try await gateway.count() == 161)
            func repeated() async throws -> AdmissionDecision {
                try await gateway.otherAdmissions.admit(
                    Self.request(gateway, key: "k260", reservation: "again", after: 60))
            }
            let waits = try await repeated()
            #expect(waits.outcome == .idempotencyKeyInUse && waits.retryAfterSeconds(at: Self.time) == 1)
            let carriedOut = try await repeated()
            #expect(carriedOut.outcome == .admitted && !carriedOut.isRepeat)
            #expect(try await gateway.admissions.settle(#require(carriedOut.reservation), as: .keep))
            #expect(try await gateway.count() == 1)
        }
    }

    /// A moment that cannot be read has passed.
    @Test(arguments: ["leaseUntil", "until"]) func unreadableMomentsHoldUpNoRepeat(field: String) async throws {
        try await KeyGateway.run { gateway in
            _ = try await gateway.admissions.admit(Self.request(gateway, key: "k", reservation: "r1"))
            try await gateway.client.send("HSET idempotency:{user_abc}:{k} \(field) garbage")
            let again = try await gateway.admissions.admit(Self.request(gateway, key: "k", reservation: "r2"))
            #expect(again.outcome == .admitted)
        }
    }

    @Test func aLeaseIsLookedForThoughTheMomentIsUnreadable() async throws {
        try await KeyGateway.run { gateway in
            _ = try await gateway.admissions.admit(Self.request(gateway, reservation: "r1"))
            try await gateway.client.send("HSET usage:{user_abc} reservedUntil garbage")
            #expect(try await gateway.admissions.admit(Self.request(gateway, after: 60)).usage.count == 1)
            #expect(try await gateway.hash("usage:{user_abc}")["reservedUntil"] == nil)
        }
    }

    @Test(arguments: [
        "garbage", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 Evil\r\n", "HTTP/1.1 200 OK\nX: y\r\n", "",
    ])
    func aKeptAnswerThatIsNoneIsToldToNobody(head: String) async throws {
        try await KeyGateway.run { gateway in
            let first = try await gateway.admissions.admit(Self.request(gateway, key: "k", reservation: "r1"))
            #expect(try await gateway.admissions.settle(#require(first.reservation), as: Self.answer()))
            try await gateway.send("HSET", "idempotency:{user_abc}:{k}", "head", head)
            let call = try #require(IdempotentCall(key: "k", fingerprint: "a"))
            let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
            let kept = try await eventLoop.flatSubmit { () -> EventLoopFuture<StoredAnswer?> in
                let promise = eventLoop.makePromise(of: StoredAnswer?.self)
                guard let port = gateway.admissions.port(on: eventLoop) else {
                    promise.fail(ChannelError.operationUnsupported)
                    return promise.futureResult
                }
                port.storedAnswer(of: call, by: gateway.user) { result in
                    promise.completeWith(result.mapError { $0 as any Error })
                }
                return promise.futureResult
            }.get()
            #expect(kept == nil)
        }
    }

    @Test func twoThatComeTogetherAreOneAttempt() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let outcomes = try await withThrowingTaskGroup(of: AdmissionDecision.Outcome.self) { group in
                for number in 0..<40 {
                    let store = number.isMultiple(of: 2) ? gateway.admissions : gateway.otherAdmissions
                    let request = try Self.request(gateway, key: "k", reservation: "r\(number)")
                    group.addTask { try await store.admit(request).outcome }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == .admitted } == 1)
            #expect(outcomes.count { $0 == .idempotencyKeyInUse } == 39)
            #expect(try await gateway.count() == 1)
        }
    }

    @Test func aRepeatOfWhatFailedIsPaidOnce() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1, ratePerMinute: 100)])
        for givesBack in [true, false] {
            try await KeyGateway.run(plans: plans) { gateway in
                let store = gateway.admissions
                for number in 1...3 {
                    let attempt = try await store.admit(
                        Self.request(gateway, key: "k", reservation: "r\(number)", givesBack: givesBack))
                    #expect(attempt.outcome == .admitted && attempt.rate.count == number)
                    #expect(attempt.usage.count == 1)
                    #expect(attempt.isRepeat == (number > 1 && !givesBack))
                    #expect(try await store.settle(#require(attempt.reservation), as: .giveBack))
                    #expect(try await gateway.count() == (givesBack ? 0 : 1))
                }
                let last = try await store.admit(
                    Self.request(gateway, key: "k", reservation: "r4", givesBack: givesBack))
                #expect(try await store.settle(#require(last.reservation), as: .keep))
                #expect(try await gateway.count() == 1)
                let ordinary = try await store.admit(
                    Self.request(gateway, key: "k", reservation: "r5", givesBack: givesBack))
                #expect(ordinary.outcome == .quotaExceeded, "it has finished: a repeat is a call like any other")
            }
        }
    }

    @Test func aRepeatOfWhatHasFinishedIsReplayed() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let route = try #require(RouteLimit(route: "reports", ratePerMinute: 3))
            let first = try await store.admit(Self.request(gateway, key: "k", reservation: "r1", route: route))
            #expect(try await store.settle(#require(first.reservation), as: Self.answer()))
            for count in 2...3 {
                let again = try await gateway.otherAdmissions.admit(
                    Self.request(gateway, key: "k", reservation: "r\(count)", route: route))
                #expect(again.outcome == .replayed && again.reservation == nil && !again.isRepeat)
                #expect(again.usage.count == 1, "costs nothing")
                #expect(again.rate.count == count && again.routeRate?.count == count, "takes its place in the minute")
            }
            let many = try await store.admit(Self.request(gateway, key: "k", reservation: "r4", route: route))
            #expect(many.outcome == .rateLimited)
            let other = try await store.admit(Self.request(gateway, key: "k", fingerprint: "b", reservation: "r5"))
            #expect(other.outcome == .idempotencyKeyReused && other.usage.count == 1 && other.rate.count == 3)
            let record = try await gateway.hash("idempotency:{user_abc}:{k}")
            #expect(record["status"] == "200" && record["head"] == "HTTP/1.1 200 OK\r\n")
            let life = try await gateway.client.send("TTL idempotency:{user_abc}:{k}").integer ?? 0
            #expect((86_300...86_400).contains(life))
            let dayLater = try await store.admit(
                Self.request(gateway, key: "k", fingerprint: "b", reservation: "r6", after: IdempotentCall.keptSeconds))
            #expect(dayLater.outcome == .admitted && dayLater.usage.count == 2)
        }
    }

    @Test func theAnswersOfAUserAreBounded() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            func call(_ key: String, _ outcome: Reservation.Outcome?, after: Int64 = 0) async throws -> Bool {
                let decision = try await gateway.admissions.admit(
                    Self.request(gateway, key: key, reservation: "r-\(key)", givesBack: false, after: after))
                if let reservation = decision.reservation, let outcome {
                    #expect(try await gateway.admissions.settle(reservation, as: outcome))
                }
                return decision.outcome == .replayed
            }
            let extra = 5
            for number in 0..<StoredAnswer.maximumCount + extra {
                #expect(try await call("k\(number)", Self.answer(), after: Int64(number)) == false)
            }
            let answers = "ZCARD idempotency:{user_abc}:answers"
            #expect(try await Int(gateway.client.send(answers).integer ?? 0) == StoredAnswer.maximumCount)
            #expect(try await call("k\(extra)", nil, after: 200))
            #expect(try await call("k\(extra - 1)", .keep, after: 200) == false, "the oldest went")

            // And their bytes: large ones drive out the small.
            let large = 60_000
            for number in 0..<20 { _ = try await call("l\(number)", Self.answer(bytes: large), after: 300) }
            let kept = try await Int(gateway.client.send(answers).integer ?? 0)
            #expect(kept == StoredAnswer.maximumTotalBytes / (large + 17))
            #expect(try await call("l19", nil, after: 300))
        }
    }

    @Test func theKeysOfAUserAreBounded() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            for number in 0...IdempotentCall.maximumCount {
                _ = try await gateway.admissions.admit(
                    Self.request(gateway, key: "k\(number)", reservation: "r", after: Int64(number / 100)))
            }
            let count = try await gateway.client.send("ZCARD idempotency:{user_abc}").integer ?? 0
            #expect(Int(count) == IdempotentCall.maximumCount)
            #expect(try await gateway.client.send("EXISTS idempotency:{user_abc}:{k0}").integer == 0)
            #expect(try await gateway.client.send("EXISTS idempotency:{user_abc}:{k1}").integer == 1)
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

    /// A slow answer, or a client that reads it slowly, would be free else.
    @Test func aCallThatGoesOnKeepsItsReservation() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let long = try #require(
                try await store.admit(Self.request(gateway, key: "k", reservation: "r1")).reservation)
            #expect(try await store.renew(long, until: Self.time.adding(seconds: 90)))
            let other = try await store.admit(Self.request(gateway, after: 60))
            #expect(other.usage.count == 2, "nothing came back")
            #expect(try await gateway.hash("usage:{user_abc}")["reservedUntil"] == "2025-11-26T23:01:30Z")
            let meanwhile = try await store.admit(Self.request(gateway, key: "k", reservation: "r2", after: 60))
            #expect(meanwhile.outcome == .idempotencyKeyInUse)
            #expect(try await store.settle(long, as: .keep))
            // What has ended is not begun anew.
            #expect(try await store.renew(long, until: Self.time.adding(seconds: 500)) == false)
            #expect(try await gateway.client.send("EXISTS reservations:{user_abc}").integer == 0)
            #expect(try await gateway.hash("idempotency:{user_abc}:{k}")["leaseUntil"] == "2025-11-26T23:01:30Z")
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
                    "previousPeriodStart": "2025-11-01", "previousUsageCount": "4",
                ])
        }
    }
}
