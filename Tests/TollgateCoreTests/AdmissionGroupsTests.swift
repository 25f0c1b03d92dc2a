import Testing
import TollgateCore

/// The groups, with callers that have numbers.
private final class Groups {
    private var groups: AdmissionGroups
    private var told: [Int] = []

    init(maximumCount: Int = 8) { groups = AdmissionGroups(maximumCount: maximumCount, maximumWait: 1000) }

    func join(_ request: AdmissionRequest, _ number: Int) { groups.join(request) { _ in self.told.append(number) } }

    func isBound(_ principal: Principal) { groups.isBound(principal) }
    func answered(_ group: AdmissionGroups.Group) { groups.answered(group) }
    func endTick(at now: Int64) -> [AdmissionGroups.Group] {
        groups.endTick(at: now)
        var leaving: [AdmissionGroups.Group] = []
        while let group = groups.nextLeaving() { leaving.append(group) }
        return leaving
    }
    func endWait(at now: Int64) { groups.endWait(at: now) }
    var awaitsEndOfTick: Bool { groups.awaitsEndOfTick }
    var nextWaitEnd: Int64? { groups.nextWaitEnd }

    /// The callers of each group, found out by telling them.
    func callers(_ groups: [AdmissionGroups.Group]) -> [[Int]] {
        groups.map { group in
            told = []
            let result = Result<AdmissionDecision, StoreUnavailable>.failure(
                StoreUnavailable(.unreachable, reason: "test"))
            group.first(result)
            for other in group.others { other.caller(result) }
            return told
        }
    }
}

@Suite struct AdmissionGroupsTests {
    private static let principals = ["user_a", "user_b"].compactMap(UserID.init).map { Principal(userID: $0) }

    private static func request(
        _ principal: Int = 0, second: Int64 = 100, cost: Int = 1, route: String = "search", address: String? = nil
    ) -> AdmissionRequest {
        AdmissionRequest(
            principal: principals[principal], time: UnixTime(seconds: second),
            network: address.flatMap { ClientNetwork(address: $0) }, cost: cost, route: route)
    }

    @Test func requestsOfOneTickGoTogether() {
        let groups = Groups()
        #expect(!groups.awaitsEndOfTick)
        groups.join(Self.request(), 1)
        #expect(groups.awaitsEndOfTick)
        groups.join(Self.request(1), 2)
        groups.join(Self.request(), 3)
        #expect(groups.callers(groups.endTick(at: 0)) == [[1, 3], [2]])
        #expect(!groups.awaitsEndOfTick && groups.nextWaitEnd == nil)
    }

    @Test func requestsThatDifferGoApart() throws {
        let groups = Groups()
        groups.join(Self.request(), 1)
        groups.join(Self.request(cost: 2), 2)
        groups.join(Self.request(route: "other"), 3)
        groups.join(Self.request(), 4)
        let limit = try #require(RouteLimit(route: "reports", ratePerMinute: 3))
        groups.join(
            AdmissionRequest(
                principal: Self.principals[0], time: UnixTime(seconds: 100), route: "search", routeLimit: limit), 5)
        groups.join(
            AdmissionRequest(
                principal: Self.principals[0], time: UnixTime(seconds: 100), route: "search",
                requiredScopes: [try #require(KeyScope("read"))]), 6)
        #expect(groups.callers(groups.endTick(at: 0)) == [[1, 4], [2], [3], [5], [6]])
    }

    @Test func requestsThatFollowWaitForTheReply() throws {
        let groups = Groups()
        groups.join(Self.request(), 1)
        let first = try #require(groups.endTick(at: 0).first)
        for caller in 2...4 {
            groups.join(Self.request(), caller)
            #expect(groups.endTick(at: Int64(caller)).isEmpty)
        }
        #expect(groups.nextWaitEnd == 1002)
        groups.answered(first)
        groups.join(Self.request(), 5)
        #expect(groups.callers(groups.endTick(at: 5)) == [[2, 3, 4, 5]])
    }

    @Test func noneWaitsLongerThanTheLimit() throws {
        let groups = Groups()
        groups.join(Self.request(), 1)
        let first = try #require(groups.endTick(at: 0).first)
        groups.join(Self.request(), 2)
        #expect(groups.endTick(at: 50).isEmpty)
        groups.endWait(at: 1049)
        #expect(!groups.awaitsEndOfTick && groups.nextWaitEnd == 1050)
        groups.endWait(at: 1050)
        #expect(groups.callers(groups.endTick(at: 1050)) == [[2]])
        #expect(groups.nextWaitEnd == nil)
        groups.answered(first)
        #expect(!groups.awaitsEndOfTick)
    }

    @Test func aGroupIsOfOneSecond() {
        let groups = Groups()
        groups.join(Self.request(), 1)
        groups.join(Self.request(), 2)
        groups.join(Self.request(second: 101), 3)
        #expect(groups.callers(groups.endTick(at: 0)) == [[1, 2]], "the later one waits for the reply")
        groups.endWait(at: 1000)
        #expect(groups.callers(groups.endTick(at: 0)) == [[3]])
    }

    @Test func aFullGroupLeavesAtOnce() {
        let groups = Groups(maximumCount: 3)
        for caller in 1...7 { groups.join(Self.request(), caller) }
        #expect(groups.callers(groups.endTick(at: 0)) == [[1, 2, 3], [4, 5, 6]])
        let single = Groups(maximumCount: 1)
        for caller in 1...3 { single.join(Self.request(), caller) }
        #expect(single.callers(single.endTick(at: 0)) == [[1], [2], [3]])
    }

    @Test func itIsKnownWhetherAllComeFromOneAddress() {
        let groups = Groups()
        groups.join(Self.request(address: "192.0.2.1"), 1)
        groups.join(Self.request(address: "192.0.2.1"), 2)
        #expect(groups.endTick(at: 0).map(\.hasOneAddress) == [true])
        groups.join(Self.request(1, address: "192.0.2.1"), 1)
        groups.join(Self.request(1, address: "192.0.2.2"), 2)
        groups.join(Self.request(1, address: "192.0.2.1"), 3)
        #expect(groups.endTick(at: 0).map(\.hasOneAddress) == [false])
    }

    @Test func requestsOfAKeyThatIsBoundAreToldApartByAddress() {
        let groups = Groups()
        for (number, address) in ["192.0.2.1", "192.0.2.2", "192.0.2.1"].enumerated() {
            groups.join(Self.request(address: address), number)
            groups.join(Self.request(1, address: address), number + 10)
        }
        #expect(groups.callers(groups.endTick(at: 0)) == [[0, 1, 2], [10, 11, 12]])
        groups.isBound(Self.principals[0])
        for (number, address) in ["192.0.2.1", "192.0.2.2", "192.0.2.1"].enumerated() {
            groups.join(Self.request(route: "other", address: address), number)
            groups.join(Self.request(1, route: "other", address: address), number + 10)
        }
        let apart = groups.endTick(at: 0)
        #expect(groups.callers(apart) == [[0, 2], [10, 11, 12], [1]])
        #expect(apart.map(\.hasOneAddress) == [true, false, true])
    }

    /// Whatever comes in whatever order: each request leaves once, in the order in which those of its kind arrived, with
    /// others of its second, in no more than so many, and before it has waited too long. Nothing is left behind.
    @Test(arguments: 0..<200)
    func everyRequestLeavesOnceAndInOrder(seed: UInt64) {
        var chance = SplitMix(state: seed)
        let maximumCount = Int.random(in: 1...6, using: &chance)
        let groups = Groups(maximumCount: maximumCount)
        var (now, next, second) = (Int64(0), 0, Int64(100))
        var arrivedAt: [Int64] = []
        var under: [AdmissionGroups.Group] = []
        var left: [[Int]] = [[], []]
        func take(_ leaving: [AdmissionGroups.Group]) {
            for group in leaving {
                let callers = groups.callers([group])[0]
                #expect(callers.count == group.count && callers.count <= maximumCount)
                left[callers[0] % 2] += callers
                under.append(group)
                #expect(group.others.allSatisfy { $0.request.time == group.request.time })
            }
        }
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &chance) {
            case 0..<5:
                groups.join(Self.request(next % 2, second: second), next)
                arrivedAt.append(now)
                next += 1
            case 5..<7:
                if let group = under.randomElement(using: &chance) {
                    under.removeAll { $0 === group }
                    groups.answered(group)
                }
            case 7: second += Int64.random(in: -1...1, using: &chance)
            default:
                // The end of the tick comes before the next one begins.
                take(groups.endTick(at: now))
                now += Int64.random(in: 1...400, using: &chance)
                if let end = groups.nextWaitEnd, end <= now {
                    groups.endWait(at: now)
                    take(groups.endTick(at: now))
                }
                for kind in 0..<2 {
                    let waiting = (0..<next).filter { $0 % 2 == kind }.dropFirst(left[kind].count)
                    #expect(waiting.allSatisfy { arrivedAt[$0] + 1000 + 400 > now })
                }
            }
        }
        while !under.isEmpty || groups.awaitsEndOfTick {
            take(groups.endTick(at: now))
            if !under.isEmpty { groups.answered(under.removeFirst()) }
        }
        #expect(left[0] == (0..<next).filter { $0 % 2 == 0 })
        #expect(left[1] == (0..<next).filter { $0 % 2 == 1 })
    }
}
