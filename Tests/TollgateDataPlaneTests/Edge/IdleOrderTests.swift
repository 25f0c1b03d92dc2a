import Testing
import TollgateDataPlane

/// Which of a few connections ends when another one comes.
@Suite struct IdleOrderTests {
    @Test func theLongestIdleOneEnds() {
        var order = IdleOrder(capacity: 3)
        let first = order.opened().id
        let second = order.opened().id
        let third = order.opened()
        #expect(third.surplus == nil)
        // It has just been answered, so the second is idle longest.
        order.began(first)
        order.answered(first)
        let fourth = order.opened()
        #expect(fourth.surplus == second && order.count == 3)
        #expect(order.opened().surplus == third.id)
        #expect(order.opened().surplus == first)
        #expect(order.opened().surplus == fourth.id)
    }

    @Test func oneThatIsAnsweredStays() {
        var order = IdleOrder(capacity: 8)
        let first = order.opened().id
        order.began(first)
        let idle = (0..<7).map { _ in order.opened().id }
        #expect(order.count == 8)
        for id in idle { #expect(order.opened().surplus == id, "the first is being answered") }
        order.answered(first)
        order.answered(first)
        #expect(order.count == 8)
    }

    /// Where all are busy, the one ends whose request has not moved for longest: a new one has room, and what moves stays.
    @Test func oneThatDoesNotMoveEnds() {
        var order = IdleOrder(capacity: 8)
        let ids = (0..<8).map { _ in order.opened().id }
        for id in ids { order.began(id) }
        order.progressed(ids[0])
        #expect(order.opened().surplus == ids[1])
        let next = order.opened()
        #expect(next.surplus == ids[2], "the one that has just come is idle, and stays")
        for _ in 0..<100 {
            order.progressed(ids[0])
            let id = order.opened().id
            order.began(id)
        }
        order.progressed(ids[0])
        order.began(ids[0])
        order.answered(ids[0])
        #expect(order.count == 8)
    }

    @Test func whatIsClosedIsForgotten() {
        var order = IdleOrder(capacity: 2)
        let ids = [order.opened().id, order.opened().id]
        order.began(ids[1])
        for id in ids + ids { order.closed(id) }
        #expect(order.count == 0)
        order.began(ids[0])
        order.answered(ids[0])
        #expect(order.count == 0)
        for _ in 0..<1000 { _ = order.opened() }
        #expect(order.count == 2)
    }
}
