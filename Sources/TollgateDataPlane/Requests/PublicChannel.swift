import Hummingbird
package import HummingbirdCore
package import Logging
package import NIOCore

/// How the public port speaks HTTP/1.1: every connection is a ``PublicConnection``; what is not answered on the spot
/// goes up to the control plane, for which a task waits.
package struct PublicChannel: HTTPChannelHandler {
    package struct Connection: ServerChildChannelValue {
        package let channel: any Channel
        let bridge: ControlPlaneBridge
    }

    package let responder: Responder
    package let limits: ConnectionLimits
    package let cap: ConnectionCap
    package let drain: DrainState
    package let answers: AnswerWriter
    package let dataPlane: DataPlane

    package static func builder(
        limits: ConnectionLimits, cap: ConnectionCap, drain: DrainState, answers: AnswerWriter, dataPlane: DataPlane
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            PublicChannel(
                responder: responder, limits: limits, cap: cap, drain: drain, answers: answers, dataPlane: dataPlane)
        }
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection> {
        channel.eventLoop.makeCompletedFuture {
            let bridge = ControlPlaneBridge(eventLoop: channel.eventLoop, clock: answers.clock)
            channel.closeFuture.whenComplete { _ in bridge.connectionClosed() }
            guard cap.admits(channel) else {
                let refusal = RefusedConnection(answer: answers.refusal(.tooManyConnections))
                try channel.pipeline.syncOperations.addHandler(refusal)
                return Connection(channel: channel, bridge: bridge)
            }
            let dispatcher = ConnectionDispatcher(dataPlane: dataPlane, channel: channel, bridge: bridge)
            try channel.pipeline.syncOperations.addHandler(
                PublicConnection(limits: limits, drain: drain, answers: answers, dispatcher: dispatcher))
            return Connection(channel: channel, bridge: bridge)
        }
    }

    package func handle(value: Connection, logger: Logger) async {
        guard let channel = await value.bridge.channel() else { return }
        await handleHTTP(asyncChannel: channel, logger: logger)
    }
}
