import Testing
import TollgateCore

/// How often a user passes while the store cannot be asked.
@Suite struct OutageAllowanceTests {
    /// The first moment of a minute.
    private static let minute = UnixTime(seconds: 1_764_198_000)
    private static let alone = WorkerShare(place: 0, of: 1)

    private static func user(_ name: String = "user_abc") throws -> UserID { try #require(UserID(name)) }

    /// How many of many tries pass.
    private static func passes(
        _ allowance: inout OutageAllowance, _ user: UserID, unknownRate: Int = 10, share: WorkerShare = alone,
        after seconds: Int64 = 0
    ) -> Int {
        (0..<300).count { _ in
            allowance.admits(user, unknownRate: unknownRate, share: share, at: minute.adding(seconds: seconds))
        }
    }

    private static func rate(_ count: Int, of limit: Int, after seconds: Int64 = 0) -> RateSnapshot {
        RateSnapshot(count: count, limit: limit, window: RateWindow(containing: minute.adding(seconds: seconds)))
    }

    @Test func aUserWhoWasNotSeenHasTheRateOfTheirCredential() throws {
        var allowance = OutageAllowance(capacity: 10)
        #expect(Self.passes(&allowance, try Self.user()) == 10)
        #expect(Self.passes(&allowance, try Self.user("user_def"), unknownRate: 20) == 20)
        #expect(Self.passes(&allowance, try Self.user("user_ghi"), unknownRate: 0) == 0)
    }

    @Test func thePlanThatCountedLastCounts() throws {
        var allowance = OutageAllowance(capacity: 10)
        allowance.saw(Self.rate(0, of: 50), of: try Self.user())
        allowance.saw(Self.rate(0, of: 30), of: try Self.user())
        #expect(Self.passes(&allowance, try Self.user()) == 30)
    }

    @Test func whatIsUsedOfTheMinuteCounts() throws {
        var allowance = OutageAllowance(capacity: 10)
        allowance.saw(Self.rate(20, of: 50), of: try Self.user())
        #expect(Self.passes(&allowance, try Self.user()) == 30)
        #expect(Self.passes(&allowance, try Self.user(), after: 59) == 0)
        #expect(Self.passes(&allowance, try Self.user(), after: 60) == 50, "the next minute is whole")
        allowance.saw(Self.rate(70, of: 50, after: 60), of: try Self.user())
        #expect(Self.passes(&allowance, try Self.user(), after: 61) == 0)
        allowance.saw(Self.rate(-70, of: 50, after: 120), of: try Self.user())
        #expect(Self.passes(&allowance, try Self.user(), after: 120) == 50, "a credit waits for the store")
    }

    /// With what each worker knows of the others' minute, and in the minutes after.
    @Test(arguments: 1...7) func allWorkersTogetherPassWhatIsLeft(count: Int) throws {
        let shares = (0..<count).map { WorkerShare(place: $0, of: count) }
        var allowances = shares.map { _ in OutageAllowance(capacity: 10) }
        for (after, expected) in [(Int64(0), 77), (60, 100), (120, 100)] {
            var sum = 0
            for place in shares.indices {
                if after == 0 { allowances[place].saw(Self.rate(23, of: 100), of: try Self.user()) }
                sum += Self.passes(&allowances[place], try Self.user(), share: shares[place], after: after)
            }
            #expect(sum == expected)
        }
    }

    @Test func eachUserHasACount() throws {
        var allowance = OutageAllowance(capacity: 1000)
        for number in 0..<100 { #expect(Self.passes(&allowance, try Self.user("user_\(number)")) == 10) }
        for number in 0..<100 { #expect(Self.passes(&allowance, try Self.user("user_\(number)")) == 0) }
    }

    @Test func theWorkersPartMayChangeDuringAMinute() throws {
        var allowance = OutageAllowance(capacity: 10)
        #expect(Self.passes(&allowance, try Self.user(), share: WorkerShare(place: 0, of: 2)) == 5)
        #expect(Self.passes(&allowance, try Self.user()) == 5, "ten in all")
        #expect(Self.passes(&allowance, try Self.user(), share: WorkerShare(place: 0, of: 2)) == 0)
    }
}
