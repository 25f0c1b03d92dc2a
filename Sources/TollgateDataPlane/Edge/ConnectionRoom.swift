import HTTPTypes
package import NIOCore
package import NIOHTTPTypes
import Synchronization

/// The connections of a port that takes few, and which of them ends when another one comes: so that clients that say
/// nothing, or read nothing, keep no one out, such as an orchestrator that asks whether the worker lives.
package final class ConnectionRoom: Sendable {
    private let state: Mutex<(order: IdleOrder, channels: [Int: any Channel])>

    /// - Parameter capacity: Connections that the port may have. Some of them are kept free.
    package init(capacity: Int) { state = Mutex((IdleOrder(capacity: capacity - max(1, capacity / 16)), [:])) }

    fileprivate func opened(_ channel: any Channel) -> Int {
        let (id, surplus) = state.withLock { state in
            let (id, surplus) = state.order.opened()
            state.channels[id] = channel
            return (id, surplus.flatMap { state.channels[$0] })
        }
        surplus?.close(promise: nil)
        return id
    }

    fileprivate func began(_ id: Int) { state.withLock { $0.order.began(id) } }

    fileprivate func progressed(_ id: Int) { state.withLock { $0.order.progressed(id) } }

    fileprivate func answered(_ id: Int) { state.withLock { $0.order.answered(id) } }

    fileprivate func closed(_ id: Int) {
        state.withLock { state in
            state.order.closed(id)
            state.channels[id] = nil
        }
    }
}

/// Which connection ends for a new one: the one that has been idle longest, that is to say has waited for a request or for the
/// rest of one's head. Where hardly any is idle, the one whose request has not moved for longest: a client that does not
/// read its answer, or does not send its body, would keep its place for ever.
package struct IdleOrder: Sendable {
    private let capacity: Int

    /// When each idle one became so, by ``clock``.
    private var idleSince: [Int: Int] = [:]

    /// Those whose request is being answered, and when a part of it or of its answer has moved last.
    private var movedAt: [Int: Int] = [:]
    private var clock = 0

    /// So many that are idle are likely to have just come, and to say something in a moment.
    private var newcomers: Int { max(1, capacity / 8) }

    /// - Parameter capacity: From how many connections on the longest idle one ends for a new one.
    package init(capacity: Int) { self.capacity = capacity }

    package var count: Int { idleSince.count + movedAt.count }

    /// - Returns: The name of the connection, and of the one that is to end for it. Nil when there is room.
    package mutating func opened() -> (id: Int, surplus: Int?) {
        let surplus = count >= capacity ? surplus : nil
        if let surplus { closed(surplus) }
        clock += 1
        idleSince[clock] = clock
        return (clock, surplus)
    }

    /// The head of a request has come.
    package mutating func began(_ id: Int) {
        guard idleSince.removeValue(forKey: id) != nil else { return progressed(id) }
        clock += 1
        movedAt[id] = clock
    }

    /// A part of its body has come, or one of its answer was taken.
    package mutating func progressed(_ id: Int) {
        guard movedAt[id] != nil else { return }
        clock += 1
        movedAt[id] = clock
    }

    /// Its answer was given.
    package mutating func answered(_ id: Int) {
        guard movedAt.removeValue(forKey: id) != nil else { return }
        clock += 1
        idleSince[id] = clock
    }

    package mutating func closed(_ id: Int) {
        idleSince[id] = nil
        movedAt[id] = nil
    }

    private var surplus: Int? {
        let idlest = idleSince.min { $0.value < $1.value }?.key
        guard idleSince.count <= newcomers else { return idlest }
        return movedAt.min { $0.value < $1.value }?.key ?? idlest
    }
}

/// Tells the ``ConnectionRoom`` of one connection. Confined to its event loop.
package final class IdleConnectionEnd: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPRequestPart
    package typealias InboundOut = HTTPRequestPart
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    private let room: ConnectionRoom
    private var id: Int?

    package init(room: ConnectionRoom) { self.room = room }

    package func handlerAdded(context: ChannelHandlerContext) { id = room.opened(context.channel) }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let id {
            if case .head = unwrapInboundIn(data) { room.began(id) } else { room.progressed(id) }
        }
        context.fireChannelRead(data)
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if let id {
            if case .end = unwrapOutboundIn(data) { room.answered(id) } else { room.progressed(id) }
        }
        context.write(data, promise: promise)
    }

    package func handlerRemoved(context: ChannelHandlerContext) { leave() }

    package func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        if let id { room.closed(id) }
        id = nil
    }
}

@available(*, unavailable)
extension IdleConnectionEnd: Sendable {}
