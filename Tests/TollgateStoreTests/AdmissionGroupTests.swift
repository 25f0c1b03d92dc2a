import Hiredis
import NIOCore
import NIOPosix
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Requests that are decided on together are told, and leave behind, what they would one after the other.
@Suite struct AdmissionGroupTests {
    private static let plans = Result {
        try PlanTable([
            Plan(name: "free", quota: 20, ratePerMinute: 12), Plan(name: "paid", quota: 40, ratePerMinute: 9),
        ])
    }

    /// One asks in groups, the other for each request by itself; nothing else differs.
    private struct Pair {
        let grouped: KeyGateway
        let single: KeyGateway

        static func run(_ body: (Pair) async throws -> Void) async throws {
            try await KeyGateway.run(plans: plans.get()) { grouped in
                try await KeyGateway.run(plans: plans.get()) { single in
                    try await body(Pair(grouped: grouped, single: single))
                }
            }
        }

        func send(_ words: String...) async throws {
            for gateway in [grouped, single] {
                _ = try await gateway.client.execute(RedisCommand(arguments: words))
            }
        }

        /// The same key at both.
        func makeKey(allowedIPs: [String]? = nil) async throws -> APIKey {
            let key = try await grouped.makeKey(scopes: ["read", "write"], allowedIPs: allowedIPs).key
            let name = RedisKey.key(key.id, of: grouped.user).text
            let fields = try await grouped.client.send("HGETALL \(name)").array?.compactMap(\.string) ?? []
            _ = try await single.client.execute(RedisCommand(arguments: ["HSET", name] + fields))
            return key
        }

        /// Asks for `requests`, which arrive in one tick, and compares what they are told and what is stored with what the
        /// other gateway says and stores.
        func compare(_ requests: [AdmissionRequest], _ comment: Comment) async throws {
            let together = try await grouped.admitInOneTick(requests)
            for (request, decision) in zip(requests, together) {
                let alone = try await single.admissions.admit(request)
                #expect(decision == alone, comment)
            }
            let (left, right) = (try await stored(grouped), try await stored(single))
            #expect(left == right, comment)
        }

        /// Everything in Redis but the index of keys, and what has an end.
        private func stored(_ gateway: KeyGateway) async throws -> [String: [String]] {
            var all: [String: [String]] = [:]
            let client = try await gateway.client.inspector
            let names = try await client.send("KEYS *").array?.compactMap(\.string) ?? []
            for name in names where !name.hasPrefix("keys:") {
                let type = try await client.send("TYPE \(name)").string ?? ""
                let value = try await client.send(type == "hash" ? "HGETALL \(name)" : "GET \(name)")
                let hasEnd = try await client.send("TTL \(name)").integer != -1
                let fields = value.array?.compactMap(\.string) ?? [value.string ?? ""]
                let pairs = stride(from: 0, to: fields.count, by: 2).map { fields[$0..<min($0 + 2, fields.count)] }
                all[name] = pairs.map { $0.joined(separator: "=") }.sorted() + ["\(hasEnd)"]
            }
            return all
        }
    }

    /// A state, and requests of one kind.
    private struct Chance {
        var generator: SeededGenerator

        mutating func pick<Element>(_ elements: [Element]) -> Element {
            elements[Int.random(in: elements.indices, using: &generator)]
        }

        mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }

        mutating func prepare(_ pair: Pair) async throws {
            try await pair.send("DEL", "usage:{user_abc}", "subscription:{user_abc}")
            if !oneIn(5) {
                try await pair.send(
                    "HSET", "usage:{user_abc}", "usageCount", pick(["0", "5", "17", "19", "20", "-3", "abc", "38"]),
                    "plan", pick(["free", "paid", "gold"]), "periodStart",
                    pick(["2025-11-01", "2025-11-01", "2025-10-01", "2026-01-01", "nonsense"]), "periodEnd",
                    "2025-11-30",
                    "lastUpdated", pick(["2025-11-26T22:00:00Z", "2025-11-26T23:00:00Z", ""]))
            }
            if oneIn(3) {
                try await pair.send(
                    "HSET", "subscription:{user_abc}", "plan", pick(["paid", "gold"]), "status",
                    pick(["active", "canceled"]))
            }
            try await pair.send(
                "SET", KeyGateway.minute, pick(["0", "3", "8", "11", "12", "x", "11.0", " 7", "0x9"]), "EX", "100")
            if oneIn(3) { try await pair.send("DEL", KeyGateway.minute) }
            try await pair.send(
                "SET", "ratelimit:{user_abc}:reports:29403300", pick(["0", "2", "4", "x", "3.0"]), "EX", "100")
            if oneIn(4) { try await pair.send("HSET", KeyGateway.tenDays, "26/search", pick(["3", "x"])) }
        }

        /// What becomes of a key between two groups.
        mutating func change(_ key: APIKey, of pair: Pair) async throws {
            let name = RedisKey.key(key.id, of: pair.grouped.user).text
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: try await pair.send("HSET", name, "status", "revoked")
            case 1: try await pair.send("HSET", name, "expiresAt", "2025-11-26T22:59:59Z")
            case 2: try await pair.send("HSET", name, "scopes", "write read")
            case 3: try await pair.send("HSET", name, "allowedIPs", "c0000200-c00002ff")
            default:
                try await pair.send("HSET", name, "status", "active", "scopes", "read write")
                try await pair.send("HDEL", name, "expiresAt", "allowedIPs")
            }
        }

        mutating func requests(of principal: Principal) throws -> [AdmissionRequest] {
            let (cost, limit) = (
                pick([1, 1, 1, 0, 3, 7]), oneIn(3) ? RouteLimit(route: "reports", ratePerMinute: 4) : nil
            )
            let scopes = try pick([[], ["read"], ["read", "write"], ["write", "read"], ["admin"]])
                .map { try #require(KeyScope($0)) }
            let addresses = pick([["192.0.2.7"], ["192.0.2.7", "198.51.100.1", "2001:db8::1"]])
            return (0..<Int.random(in: 1...14, using: &generator)).map { _ in
                AdmissionRequest(
                    principal: principal, time: KeyGateway.time, network: ClientNetwork(address: pick(addresses)),
                    cost: cost, route: "search", requiredScopes: scopes, routeLimit: limit)
            }
        }
    }

    @Test(arguments: 0..<4)
    func groupsAreDecidedOnAsOneByOne(seed: UInt64) async throws {
        try await Pair.run { pair in
            var chance = Chance(generator: SeededGenerator(seed: seed))
            let key = try await pair.makeKey()
            let principals = [
                Principal(key), Principal(userID: pair.grouped.user),
                Principal(userID: pair.grouped.user, claimedPlan: "paid", issuedAt: KeyGateway.time),
            ]
            for round in 0..<60 {
                if !chance.oneIn(3) { try await chance.prepare(pair) }
                try await chance.change(key, of: pair)
                let requests = try chance.requests(of: chance.pick(principals))
                try await pair.compare(requests, "seed \(seed), round \(round)")
            }
        }
    }

    @Test func aGroupTakesOneCall() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let principal = Principal(try await gateway.makeKey().key)
            let request = AdmissionRequest(principal: principal, time: KeyGateway.time)
            _ = try await gateway.admissions.admit(request)
            try await gateway.client.send("CONFIG RESETSTAT")
            let decisions = try await gateway.admitInOneTick(Array(repeating: request, count: 14))
            #expect(decisions.map(\.rate.count) == Array(2...12) + [12, 12, 12])
            #expect(decisions.map(\.usage.count) == Array(2...12) + [12, 12, 12])
            #expect(decisions.map { $0.outcome == .admitted } == (2...15).map { $0 <= 12 })
            #expect(try await gateway.client.calls(of: "evalsha") == 1)
            #expect(try await gateway.client.calls(of: "incr") == 1)
            #expect(try await gateway.client.calls(of: "hincrby") == 2, "one for those that pass, one for the others")
            #expect(try await gateway.hash(KeyGateway.tenDays).values.sorted() == ["12", "3"])
        }
    }

    @Test func requestsThatMayNotShareACallGoAlone() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let principal = Principal(userID: gateway.user)
            _ = try await gateway.admissions.admit(AdmissionRequest(principal: principal, time: KeyGateway.time))
            try await gateway.client.send("CONFIG RESETSTAT")
            var requests: [AdmissionRequest] = []
            for number in 0..<3 {
                let reservation = try #require(Reservation.Request(id: "r\(number)", leaseSeconds: 30))
                let call = try #require(IdempotentCall(key: "k\(number)", fingerprint: "f"))
                requests += [
                    AdmissionRequest(principal: principal, time: KeyGateway.time, reservation: reservation),
                    AdmissionRequest(principal: principal, time: KeyGateway.time, idempotentCall: call),
                    AdmissionRequest(
                        principal: principal, time: KeyGateway.time, quotaPolicy: .countWhileSomeIsLeft),
                ]
            }
            let decisions = try await gateway.admitInOneTick(requests)
            #expect(decisions.map(\.usage.count) == Array(2...10))
            #expect(try await gateway.client.calls(of: "evalsha") == 9)
        }
    }

    @Test func aKeyBoundToAddressesIsAskedForEachAddress() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let principal = Principal(try await gateway.makeKey(allowedIPs: ["192.0.2.0/24"]).key)
            let requests = ["192.0.2.7", "198.51.100.1", "192.0.2.8", "198.51.100.1"].map {
                AdmissionRequest(
                    principal: principal, time: KeyGateway.time, network: ClientNetwork(address: $0))
            }
            let outcomes = try await gateway.admitInOneTick(requests).map(\.outcome)
            let refused = AdmissionDecision.Outcome.keyRefused(.addressNotAllowed)
            #expect(outcomes == [.admitted, refused, .admitted, refused])
        }
    }

    @Test func aLostReplyIsAnErrorForAllAndNothingIsRepeated() async throws {
        try await KeyGateway.run(plans: Self.plans.get()) { gateway in
            let request = AdmissionRequest(principal: Principal(userID: gateway.user), time: KeyGateway.time)
            try await gateway.client.send("CONFIG RESETSTAT")
            // A value of another type: the script fails for all of them.
            try await gateway.client.send("RPUSH usage:{user_abc} x")
            let failures = try await gateway.resultsInOneTick(Array(repeating: request, count: 5))
            for case .success(let decision) in failures { Issue.record("\(decision)") }
            #expect(failures.count == 5)
            let calls = try await gateway.client.calls(of: "evalsha") + gateway.client.calls(of: "eval")
            #expect(calls <= 2, "once by its name, and once with its text")
        }
    }
}

extension KeyGateway {
    /// What becomes of `requests` that arrive in one tick of an event loop.
    func admitInOneTick(_ requests: [AdmissionRequest]) async throws -> [AdmissionDecision] {
        try await resultsInOneTick(requests).map { try $0.get() }
    }

    func resultsInOneTick(
        _ requests: [AdmissionRequest]
    ) async throws -> [Result<AdmissionDecision, StoreUnavailable>] {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        return try await eventLoop.flatSubmit {
            () -> EventLoopFuture<[Result<AdmissionDecision, StoreUnavailable>]> in
            guard let port = admissions.port(on: eventLoop) else {
                return eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
            }
            let results = requests.map { request in
                let promise = eventLoop.makePromise(of: Result<AdmissionDecision, StoreUnavailable>.self)
                port.admit(request) { promise.succeed($0) }
                return promise.futureResult
            }
            return EventLoopFuture.whenAllSucceed(results, on: eventLoop)
        }.get()
    }
}
