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
        var order = IdleOrder(capacity: 1)
        let first = order.opened().id
        order.began(first)
        let second = order.opened()
        #expect(second.surplus == nil && order.count == 2)
        #expect(order.opened().surplus == second.id, "the first is being answered")
        order.answered(first)
        order.answered(first)
        #expect(order.count == 2)
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
