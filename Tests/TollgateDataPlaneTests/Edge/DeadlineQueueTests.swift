import NIOCore
import Testing

@testable import TollgateDataPlane

/// Who is woken when, how often a timer is set, and how many places change for it.
@Suite struct DeadlineQueueTests {
    private final class Member: Timed {
        let number: Int
        var moves = 0
        var queueIndex: Int? { didSet { moves += 1 } }

        init(_ number: Int) { self.number = number }
    }

    private static func second(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds + 1) }

    /// Those whose time has come, in order of their deadlines.
    private static func due(_ queue: inout DeadlineQueue<Member>, at second: Int64) -> [Int] {
        queue.sweepBegan()
        var due: [Int] = []
        while let member = queue.next(at: Self.second(second)) { due.append(member.number) }
        _ = queue.sweepEnded()
        return due
    }

    /// Random wishes, against a dictionary of them.
    @Test func everyMemberIsWokenOnceAndInOrder() {
        var queue = DeadlineQueue<Member>()
        let members = (0..<200).map { Member($0) }
        var wishes: [Int: Int64] = [:]
        for step in 0..<5000 {
            let member = members[Int.random(in: members.indices)]
            switch Int.random(in: 0..<10) {
            case 0:
                queue.remove(member)
                wishes[member.number] = nil
            case 1:
                let second = Int64(step / 10)
                let due = Self.due(&queue, at: second)
                #expect(Set(due) == Set(wishes.filter { $0.value <= second }.keys))
                #expect(due.map { wishes[$0] ?? -1 } == due.map { wishes[$0] ?? -1 }.sorted())
                for number in due { wishes[number] = .max }
            default:
                let second = Int64(step / 10) + Int64.random(in: 0..<60)
                _ = queue.wait(member, until: Self.second(second))
                wishes[member.number] = second
            }
            #expect(queue.count == wishes.count)
        }
        for (index, member) in queue.members.enumerated() { #expect(member.queueIndex == index) }
    }

    /// Connections that come and go, each with the same patience, and linger at their end: a timer is set now and then,
    /// not for each.
    @Test func comingAndGoingSetsNoTimers() {
        var queue = DeadlineQueue<Member>()
        var timers = 0
        for number in 0..<10_000 {
            let member = Member(number)
            let now = Int64(number / 1000)
            for seconds in [60, 60, 5] where queue.wait(member, until: Self.second(now + Int64(seconds))) != nil {
                timers += 1
            }
            queue.remove(member)
        }
        #expect(timers <= 2 + 10)
        #expect(queue.count == 0)
    }

    /// What leaves changes the places of a few, however many stay.
    @Test func leavingMovesAFew() {
        var queue = DeadlineQueue<Member>()
        let members = (0..<10_000).map { Member($0) }
        for member in members { _ = queue.wait(member, until: Self.second(Int64.random(in: 0..<60))) }
        for member in members { member.moves = 0 }
        for member in members.shuffled() { queue.remove(member) }
        // Twice the height of a heap of 10,000, at each departure.
        #expect(members.map(\.moves).reduce(0, +) <= 10_000 * 2 * 14)
    }

    @Test func allThatAreDueTogetherNeedOneTimer() {
        var queue = DeadlineQueue<Member>()
        for number in 0..<1000 { _ = queue.wait(Member(number), until: Self.second(1)) }
        queue.sweepBegan()
        var woken = 0
        while let member = queue.next(at: Self.second(1)) {
            #expect(queue.wait(member, until: Self.second(61)) == nil)
            woken += 1
        }
        #expect(woken == 1000)
        #expect(queue.sweepEnded() == Self.second(61))
    }

    @Test func anEarlierWishSetsTheTimerAnew() {
        var queue = DeadlineQueue<Member>()
        let (first, second) = (Member(1), Member(2))
        #expect(queue.wait(first, until: Self.second(60)) == Self.second(60))
        #expect(queue.wait(second, until: Self.second(70)) == nil)
        #expect(queue.wait(second, until: Self.second(5)) == Self.second(5))
        queue.remove(second)
        // It fires in vain at 5, and then knows of the other.
        queue.sweepBegan()
        #expect(queue.next(at: Self.second(5)) == nil)
        #expect(queue.sweepEnded() == Self.second(60))
    }
}
