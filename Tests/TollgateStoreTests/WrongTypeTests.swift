import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// A key that holds a value of another type than ours fails the calls of its user, and they cost nothing: it is found
/// before anything is written. The reason names the key, for the operator who is to delete it.
@Suite(.timeLimit(.minutes(6))) struct WrongTypeTests {
    private static let day = "usage:{USER}:2025-11-2"
    private static let minute = "ratelimit:{USER}:29403300"
    private static let routeMinute = "ratelimit:{USER}:search:29403300"

    /// What every call looks at.
    private static let ofEveryCall = [
        ("usage:{USER}", "SET %"), ("usage:{USER}", "RPUSH % x"), ("subscription:{USER}", "SET %"),
        ("subscription:{USER}", "ZADD % 1 x"), (minute, "HSET % x 1"), (minute, "SADD % x"), (day, "SET %"),
        (day, "ZADD % 1 x"),
    ]

    /// What a call looks at that is reserved, may be repeated, and has a rate of its route.
    private static let ofCallsWithEverything = [
        (routeMinute, "HSET % x 1"), ("reservations:{USER}", "SET %"), ("reservations:{USER}", "HSET % x 1"),
        ("idempotency:{USER}:{k}", "SET %"), ("idempotency:{USER}:{k}", "ZADD % 1 x"), ("idempotency:{USER}", "SET %"),
        ("idempotency:{USER}", "SADD % x"),
    ]

    private struct Caller {
        let gateway: KeyGateway
        let user: UserID
        let principal: Principal

        func request(_ form: Form, route: String = "search") throws -> AdmissionRequest {
            let limit: RouteLimit = try #require(RouteLimit(route: "search", ratePerMinute: 50))
            let hasAll = form == .everything
            return AdmissionRequest(
                principal: principal, time: KeyGateway.time, route: route,
                idempotentCall: hasAll ? IdempotentCall(key: "k", fingerprint: "f") : nil,
                reservation: hasAll ? Reservation.Request(id: "r1", leaseSeconds: 30) : nil,
                routeLimit: hasAll ? limit : nil)
        }

        /// Puts a value of another type in the place of the key's own.
        func damage(_ key: String, by command: String) async throws -> String {
            let name = key.replacing("USER", with: user.value)
            _ = try await gateway.client.send("DEL \(name)")
            let line = command.replacing("%", with: name)
            _ = try await gateway.client.send(command.hasPrefix("SET") ? line + " text" : line)
            return name
        }

        func expectFailure(_ form: Form, naming key: String) async throws {
            let request = try request(form)
            let changes = try await gateway.changes {
                do throws(StoreUnavailable) {
                    let decision = try await gateway.admissions.admit(request)
                    Issue.record("\(key) was taken as it stands: \(decision)")
                } catch {
                    #expect(error.cause == .answeredError(.wrongType), "\(key): \(error)")
                    #expect(error.reason.contains(" \(key) holds"), "\(key): \(error)")
                }
            }
            #expect(changes.isEmpty, "\(key): \(changes)")
        }
    }

    private enum Form: CaseIterable {
        case credentialAlone
        case everything
    }

    /// Runs `body` with a caller for each case, who has called before, a day ago.
    private func forEach(
        _ cases: [(String, String)], withKeys: Bool = false, _ body: (Caller, String, String) async throws -> Void
    ) async throws {
        try await KeyGateway.run { gateway in
            for (number, (key, command)) in cases.enumerated() {
                let user = try #require(UserID("user_\(number)"))
                var principal = Principal(userID: user, claimedPlan: "paid", issuedAt: KeyGateway.time)
                if withKeys {
                    let draft = try KeyDraft(KeyTerms(name: "CI"), at: KeyGateway.time)
                    let creation = try await gateway.keys.create(draft, of: user, at: KeyGateway.time)
                    guard case .created(let issued) = creation else { throw KeyGateway.Refused() }
                    principal = Principal(issued.key)
                }
                let dayBefore = AdmissionRequest(
                    principal: principal, time: KeyGateway.time.adding(seconds: -86_400), route: "search")
                #expect(try await gateway.admissions.admit(dayBefore).outcome == .admitted)
                try await body(Caller(gateway: gateway, user: user, principal: principal), key, command)
            }
        }
    }

    @Test(arguments: [true, false]) func theCallFailsAndChangesNothing(withKeys: Bool) async throws {
        try await forEach(Self.ofEveryCall, withKeys: withKeys) { caller, key, command in
            let name = try await caller.damage(key, by: command)
            for form in Form.allCases { try await caller.expectFailure(form, naming: name) }
        }
        try await forEach(Self.ofCallsWithEverything, withKeys: withKeys) { caller, key, command in
            let name = try await caller.damage(key, by: command)
            try await caller.expectFailure(.everything, naming: name)
            #expect(try await caller.gateway.admissions.admit(caller.request(.credentialAlone)).outcome == .admitted)
        }
    }

    @Test func othersDoNotMeetIt() async throws {
        try await forEach(Self.ofEveryCall) { caller, key, command in
            _ = try await caller.damage(key, by: command)
            let other = try #require(UserID("other_\(caller.user.value)"))
            let request = AdmissionRequest(principal: Principal(userID: other), time: KeyGateway.time)
            #expect(try await caller.gateway.admissions.admit(request).outcome == .admitted)
        }
    }

    @Test func aLookFailsAndChangesNothing() async throws {
        let looked = Self.ofEveryCall.filter { $0.0 != Self.day }
        try await forEach(looked) { caller, key, command in
            let name = try await caller.damage(key, by: command)
            let changes = try await caller.gateway.changes {
                await #expect(throws: StoreUnavailable.self, "\(name)") {
                    try await caller.gateway.admissions.peek(caller.request(.credentialAlone))
                }
            }
            #expect(changes.isEmpty, "\(name): \(changes)")
        }
    }

    @Test func aKeysRecordOfAnotherTypeLetsNobodyIn() async throws {
        try await KeyGateway.run { gateway in
            let key = try await gateway.makeKey().key
            let caller = Caller(gateway: gateway, user: gateway.user, principal: Principal(key))
            for command in ["SET %", "ZADD % 1 x", "RPUSH % x"] {
                let name = try await caller.damage("key:{USER}:{\(key.id)}", by: command)
                for form in Form.allCases { try await caller.expectFailure(form, naming: name) }
            }
        }
    }

    @Test func aPublishableKeyOfAnotherTypeLetsNobodyIn() async throws {
        try await KeyGateway.run { gateway in
            let pair = try #require(
                Credentials(
                    platformID: "plt_" + String(repeating: "0f", count: 16),
                    apiKey: "pk_live_" + String(repeating: "9a", count: 32)))
            let store = RedisCredentialStore(client: gateway.client)
            _ = try await store.credentials(for: gateway.user, candidate: pair)
            let owners = PlatformKeyOwners(client: gateway.client)
            let present = try #require(PlatformKey(pair.apiKey))
            let principal = try #require(try await owners.principal(for: present))
            let caller = Caller(gateway: gateway, user: gateway.user, principal: principal)
            let next = try #require(PlatformKey("pk_live_" + String(repeating: "1", count: 64)))
            _ = try await store.rotate(for: gateway.user, to: next, overlapSeconds: 60, at: KeyGateway.time)
            #expect(try await gateway.admissions.admit(caller.request(.credentialAlone)).outcome == .admitted)
            for key in ["user:{USER}:previousApiKey", "user:{USER}:apiKey"] {
                let name = try await caller.damage(key, by: "RPUSH % x")
                for form in Form.allCases { try await caller.expectFailure(form, naming: name) }
            }
        }
    }

    /// The lease has run out, and where it stands cannot be read.
    @Test func reservationsOfAnotherTypeAreNotSwept() async throws {
        try await KeyGateway.run { gateway in
            _ = try await gateway.admit(after: -60, reservation: "r1")
            let caller = Caller(gateway: gateway, user: gateway.user, principal: Principal(userID: gateway.user))
            let name = try await caller.damage("reservations:{USER}", by: "SET %")
            for form in Form.allCases { try await caller.expectFailure(form, naming: name) }
            #expect(try await gateway.count() == 1)
        }
    }

    /// What can be given back is: the rest has no reader.
    @Test(arguments: ["usage:{USER}:2025-11-2", "idempotency:{USER}:{k}", "idempotency:{USER}", "usage:{USER}"])
    func callsGoBackAroundIt(key: String) async throws {
        try await KeyGateway.run { gateway in
            let reservation = try #require(try await gateway.admit(reservation: "r1", key: "k").reservation)
            let caller = Caller(gateway: gateway, user: gateway.user, principal: Principal(userID: gateway.user))
            let name = try await caller.damage(key, by: "SET %")
            #expect(try await gateway.admissions.settle(reservation, as: .giveBack))
            #expect(try await gateway.admissions.settle(reservation, as: .giveBack) == false)
            #expect(try await gateway.client.send("GET \(name)").string == "text", "it stays as it is")
            if key != "usage:{USER}" { #expect(try await gateway.count() == 0) }
            if key != "usage:{USER}:2025-11-2" {
                #expect(try await gateway.hash(KeyGateway.tenDays)["26/search"] == "0")
            }
        }
    }
}
