import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// The books hold whatever happens in whatever order: calls of all kinds, outcomes told late, twice or never, repeats,
/// workers that die, leases that run out, months that end, clocks that are set, connections that break, and workers with
/// other plans.
@Suite(.timeLimit(.minutes(5))) struct BooksTests {
    private static let plansOfOne = [
        Plan(name: "free", quota: 40, ratePerMinute: 12), Plan(name: "paid", quota: 400, ratePerMinute: 30),
        Plan(name: "gold", quota: 4000, ratePerMinute: 60),
    ]
    private static let stepsOfASeed = 4_000

    @Test(arguments: UInt64(1)...10) func whatIsCountedIsWhatHappened(seed: UInt64) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await withRedisClient(server.patientConfiguration) { other in
                    var history = try History(seed: seed, client: client, other: other, plans: Self.plansOfOne)
                    for step in 1...Self.stepsOfASeed {
                        try await history.step()
                        guard step % 100 != 0 else {
                            if try await history.isQuietPointRight(step: step) { continue }
                            return
                        }
                    }
                }
            }
        }
    }

    /// One user's life, and what the model says of it.
    private struct History {
        private var random: SeededGenerator
        private let client: RedisClient
        /// The second worker's client, whose connections break now and then.
        private let other: RedisClient
        private let stores: [(store: RedisAdmissionStore, plans: PlanTable)]
        private let user: UserID
        private var model = BooksModel()
        /// 2025-11-26T23:00:00Z
        private var time = UnixTime(seconds: 1_764_198_000)
        /// Of living workers. What a dead one held is settled by no worker.
        private var open: [Reservation] = []
        private var nextID = 0
        private var log: [String] = []

        init(seed: UInt64, client: RedisClient, other: RedisClient, plans: [Plan]) throws {
            random = SeededGenerator(seed: seed)
            self.client = client
            self.other = other
            user = try #require(UserID("user_abc"))
            let (larger, smaller) = (try PlanTable(plans), try PlanTable(plans.dropLast()))
            stores = [
                (RedisAdmissionStore(client: client, plans: larger), larger),
                (RedisAdmissionStore(client: other, plans: smaller), smaller),
            ]
        }

        private mutating func one<Value>(of values: [Value]) -> Value {
            values[Int.random(in: 0..<values.count, using: &random)]
        }

        mutating func step() async throws {
            switch Int.random(in: 0..<1000, using: &random) {
            case 0..<600: try await admit()
            case 600..<800: try await settle()
            case 800..<830: try await renew()
            // A worker dies with what it holds.
            case 830..<845:
                let parity = Int.random(in: 0..<2, using: &random)
                open.removeAll { Int($0.id.dropFirst()).map { $0 % 2 } == parity }
            case 845..<990: time = time.adding(seconds: one(of: [0, 1, 1, 2, 5, 20, 61]))
            // A stall, longer than any lease.
            case 990..<994: time = time.adding(seconds: 200)
            case 994..<996: time = time.adding(seconds: one(of: [3600, 86_400, 9 * 86_400]))
            // A clock is set a month ahead, or back again.
            case 996: time = time.adding(seconds: one(of: [31 * 86_400, -31 * 86_400, -30]))
            // They come back with growing pauses, so not too often.
            case 997 where Int.random(in: 0..<3, using: &random) == 0: try await breakConnections()
            default: break
            }
        }

        private mutating func admit() async throws {
            let (store, plans) = one(of: stores)
            nextID += 1
            let key = one(of: [nil, nil, "a", "b", "c", "d"])
            let call = key.flatMap { IdempotentCall(key: $0, fingerprint: one(of: ["f", "f", "f", "f", "g"])) }
            let wish =
                Int.random(in: 0..<10, using: &random) < 7
                ? Reservation.Request(
                    id: "r\(nextID)", leaseSeconds: one(of: [3, 10, 60]), givesBack: one(of: [true, true, false])) : nil
            let request = AdmissionRequest(
                principal: Principal(userID: user, claimedPlan: one(of: [nil, nil, nil, "free", "paid", "gold"])),
                time: time, cost: one(of: [1, 1, 1, 2, 0]), route: one(of: ["orders", "search"]),
                quotaPolicy: one(of: [.enforce, .enforce, .countWhileSomeIsLeft]), idempotentCall: call,
                reservation: wish)
            let onlyTells = Int.random(in: 0..<15, using: &random) == 0
            let expected = model.admit(request, plans: plans, onlyTells: onlyTells)
            let decision = onlyTells ? try await store.peek(request) : try await store.admit(request)
            let verdict = BooksModel.Verdict(
                outcome: decision.outcome, count: decision.usage.count, plan: decision.usage.plan,
                isRepeat: decision.isRepeat, reserved: decision.reservation?.calls ?? 0)
            #expect(verdict == expected, "\(request.time.iso8601) \(log.suffix(20))")
            note("admit \(verdict.outcome) \(verdict.count) \(wish?.id ?? "-") \(key ?? "-")")
            if let reservation = decision.reservation { open.append(reservation) }
        }

        private mutating func settle() async throws {
            guard !open.isEmpty else { return }
            let place = Int.random(in: 0..<open.count, using: &random)
            let reservation = open[place]
            let answer = try #require(StoredAnswer(status: 200, head: [1], body: [2]))
            let outcome = one(of: [Reservation.Outcome.keep, .keep, .giveBack, .keepAndReplay(answer)])
            // Another worker than the one that was granted it, now and then; and again, when the reply was lost.
            for _ in 0..<one(of: [1, 1, 1, 2]) {
                let expected = model.settle(reservation, as: outcome)
                let ended = try await one(of: stores).store.settle(reservation, as: outcome)
                #expect(ended == expected, "\(reservation.id) \(outcome) \(log.suffix(20))")
            }
            note("settle \(reservation.id) \(outcome == .giveBack ? "back" : "keep")")
            // It may be told once more, much later.
            if Int.random(in: 0..<10, using: &random) > 0 { open.remove(at: place) }
        }

        private mutating func renew() async throws {
            guard let reservation = open.randomElement(using: &random) else { return }
            let end = time.adding(seconds: 60)
            let expected = model.renew(reservation, until: end)
            #expect(try await one(of: stores).store.renew(reservation, until: end) == expected)
            note("renew \(reservation.id)")
        }

        /// A command that was not sent was not executed: it is sent again.
        private func breakConnections() async throws {
            try await client.send("CLIENT KILL TYPE normal SKIPME yes")
            try await eventually("the connections stand again") { other.isReady && client.isReady }
        }

        private mutating func note(_ what: String) {
            log.append(what)
            if log.count > 200 { log.removeFirst(100) }
        }

        // MARK: A quiet point

        private func hash(_ key: String) async throws -> [String: String] {
            let texts = try await client.send("HGETALL \(key)").array?.compactMap(\.string) ?? []
            return Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: texts.count, by: 2).map { (texts[$0], texts[$0 + 1]) })
        }

        func isQuietPointRight(step: Int) async throws -> Bool {
            let (usage, record) = (try await hash("usage:{user_abc}"), model.record)
            let isUsageRight =
                usage["usageCount"] == record.map { "\($0.count)" } && usage["plan"] == record?.plan
                && usage["periodStart"] == record?.period.firstDay.description
                && usage["periodEnd"] == record?.period.lastDay.description
                && usage["previousUsageCount"] == record?.previous.map { "\($0.count)" }
                && usage["previousPeriodStart"] == record?.previous?.period.firstDay.description
            #expect(isUsageRight, "step \(step): \(usage), not \(String(describing: record)) \(log.suffix(30))")

            var areDaysRight = true
            for (day, expected) in model.history {
                let prefix = "\(day)".suffix(2)
                let fields = try await hash("usage:{user_abc}:\("\(day)".dropLast())")
                let calls = fields.filter { $0.key.hasPrefix(prefix) && $0.value != "0" }
                let wanted = expected.filter { $0.value != 0 }.map { ("\(prefix)\($0)", "\($1)") }
                    .reduce(into: [:]) { $0[$1.0] = $1.1 }
                if calls != wanted { areDaysRight = false }
                #expect(calls == wanted, "step \(step), \(day)")
            }

            let members = try await client.send("ZRANGE reservations:{user_abc} 0 -1 WITHSCORES").array ?? []
            let reserved = stride(from: 0, to: members.count, by: 2).map {
                "\(members[$0].string ?? "") \(members[$0 + 1].string ?? "")"
            }
            let wanted = model.held.map { id, held in
                let day = "\(held.day)"
                let end = UnixTime(seconds: held.leaseEnd).iso8601.filter(\.isNumber)
                return
                    "\(id) \(held.calls) \(held.period.firstDay) \(day.dropLast()) \(day.suffix(2))/\(held.route)"
                    + (held.key.map { " \($0)" } ?? "") + " \(end)"
            }
            #expect(Set(reserved) == Set(wanted), "step \(step)")

            var areCallsRight = true
            for (key, call) in model.calls {
                let stored = try await hash("idempotency:{user_abc}:{\(key)}")
                let isRight =
                    stored["state"] == call.state && stored["calls"] == "\(call.calls)"
                    && stored["attempt"] == call.attempt && stored["fingerprint"] == call.fingerprint
                    && (stored["status"] != nil) == call.isAnswered
                if !isRight { areCallsRight = false }
                #expect(isRight, "step \(step): \(stored), not \(call)")
            }
            return isUsageRight && areDaysRight && Set(reserved) == Set(wanted) && areCallsRight
        }
    }
}
