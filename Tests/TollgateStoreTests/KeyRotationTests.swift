import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// How long the secrets of a key work that were rotated out. Rotating is also what a user does who has lost one.
@Suite(.timeLimit(.minutes(6))) struct KeyRotationTests {
    private static let day: Int64 = 86_400

    /// A key that is rotated again and again.
    private final class RotatedKey {
        let gateway: KeyGateway
        private(set) var secrets: [APIKey]

        init(_ gateway: KeyGateway, expiresAfter: Int64? = nil) async throws {
            self.gateway = gateway
            secrets = [try await gateway.makeKey(expiresAfter: expiresAfter).key]
        }

        /// The secrets are told apart by how many rotations came before them.
        func rotate(overlap: Int64, after seconds: Int64 = 0) async throws {
            let rotation = try await gateway.keys.rotate(
                secrets[0].id, of: gateway.user, overlapSeconds: overlap, at: KeyGateway.time.adding(seconds: seconds))
            guard case .rotated(let issued) = rotation else {
                Issue.record("\(rotation)")
                throw KeyGateway.Refused()
            }
            secrets.append(issued.key)
        }

        func use(_ secret: Int, after seconds: Int64 = 0) async throws {
            #expect(try await gateway.call(secrets[secret], after: seconds).outcome == .admitted, "secret \(secret)")
        }

        /// Which secrets work, `seconds` after the beginning, without using them.
        func working(after seconds: Int64) async throws -> [Int] {
            var working: [Int] = []
            for (number, secret) in secrets.enumerated() {
                let request = AdmissionRequest(
                    principal: Principal(secret), time: KeyGateway.time.adding(seconds: seconds))
                if try await gateway.admissions.peek(request).outcome == .admitted { working.append(number) }
            }
            return working
        }

        func record() async throws -> [String: String] {
            try await gateway.hash("key:{user_abc}:{\(secrets[0].id)}")
        }
    }

    @Test(arguments: [true, false]) func withoutAnOverlapNoEarlierSecretWorksOn(isUsed: Bool) async throws {
        try await KeyGateway.run { gateway in
            let key = try await RotatedKey(gateway)
            try await key.use(0)
            try await key.rotate(overlap: Self.day)
            if isUsed { try await key.use(1) }
            #expect(try await key.working(after: 1) == [0, 1])
            try await key.rotate(overlap: 0, after: 1)
            #expect(try await key.working(after: 1) == [2], "what earlier rotations have promised is over")
            let record = try await key.record()
            #expect(record["previousUntil"] == "1970-01-01T00:00:00Z", "\(record)")
            #expect(try await key.working(after: -3600) == [2], "a clock that is set back brings nothing back")
            try await key.rotate(overlap: 0, after: 2)
            #expect(try await key.working(after: 2) == [3], "nor after one more")
        }
    }

    @Test func ofAKeyThatNobodyHasUsedOnlyTheNewSecretWorks() async throws {
        try await KeyGateway.run { gateway in
            let key = try await RotatedKey(gateway)
            try await key.rotate(overlap: 0)
            #expect(try await key.working(after: 0) == [1])
        }
    }

    @Test func aShorterOverlapShortensTheOneBefore() async throws {
        try await KeyGateway.run { gateway in
            let key = try await RotatedKey(gateway)
            try await key.use(0)
            try await key.rotate(overlap: Self.day)
            // The second secret was never used: it is forgotten, and the first one ends sooner.
            try await key.rotate(overlap: 60, after: 10)
            #expect(try await key.working(after: 69) == [0, 2])
            #expect(try await key.working(after: 70) == [2])
            #expect(try await key.record()["previousUntil"] == "2025-11-26T23:01:10Z")
        }
    }

    @Test func theSecretInUseGetsTheOverlapAndTheOneBeforeItEnds() async throws {
        try await KeyGateway.run { gateway in
            let key = try await RotatedKey(gateway)
            try await key.use(0)
            try await key.rotate(overlap: Self.day)
            try await key.use(1, after: 5)
            try await key.rotate(overlap: 60, after: 10)
            #expect(try await key.working(after: 11) == [1, 2])
            #expect(try await key.working(after: 70) == [2])
            let record = try await key.record()
            #expect(record["previousUsedAt"] == "2025-11-26T23:00:05Z" && record["lastUsedAt"] == nil)
        }
    }

    @Test func noSecretOutlivesItsKey() async throws {
        for isUsed in [true, false] {
            try await KeyGateway.run { gateway in
                let key = try await RotatedKey(gateway, expiresAfter: 100)
                try await key.use(0)
                for number in 1...3 {
                    try await key.rotate(overlap: [50, Self.day, 30 * Self.day][number - 1], after: Int64(number))
                    let record = try await key.record()
                    let (until, end) = (try #require(record["previousUntil"]), try #require(record["expiresAt"]))
                    #expect(until <= end && end == "2025-11-26T23:01:40Z")
                    #expect(until == (number == 1 ? "2025-11-26T23:00:51Z" : end))
                    if isUsed { try await key.use(number, after: Int64(number)) }
                }
                #expect(try await key.working(after: 99) == [isUsed ? 2 : 0, 3])
                #expect(try await key.working(after: 100) == [])
            }
        }
    }

    /// A deployed key whose calls all meet a limit is a key in use: the next rotation must not end it at once.
    @Test func aSecretWhoseCallsAreAllRefusedByLimitsIsInUse() async throws {
        for (quota, rate) in [(0, 100), (100, 0)] {
            let plan = Plan(name: "free", quota: quota, ratePerMinute: rate)
            try await KeyGateway.run(plans: try PlanTable([plan])) { gateway in
                let key = try await RotatedKey(gateway)
                func refused(_ secret: Int, after seconds: Int64) async throws {
                    let outcome = try await gateway.call(key.secrets[secret], after: seconds).outcome
                    #expect(outcome == .quotaExceeded || outcome == .rateLimited)
                }
                try await refused(0, after: 0)
                try await key.rotate(overlap: 600, after: 1)
                try await refused(1, after: 2)
                #expect(try await key.record()["lastUsedAt"] == "2025-11-26T23:00:02Z")
                #expect(try await key.record()["previousUsedAt"] == "2025-11-26T23:00:00Z")
                try await key.rotate(overlap: 600, after: 3)
                // Both are let in as far as the limits.
                for secret in [1, 2] { try await refused(secret, after: 602) }
                #expect(try await gateway.call(key.secrets[0], after: 4).outcome == .keyRefused(.unknown))
                #expect(try await gateway.call(key.secrets[1], after: 603).outcome == .keyRefused(.expired))
                #expect(try await gateway.count() == 0)
            }
        }
    }

    @Test func aLookIsNoUse() async throws {
        try await KeyGateway.run { gateway in
            let key = try await RotatedKey(gateway)
            #expect(try await key.working(after: 0) == [0])
            #expect(try await key.record()["lastUsedAt"] == nil)
        }
    }
}
