import Synchronization

/// The ports that a gateway really listens on: with port 0 the system picks them.
package final class GatewayAddresses: Sendable {
    package struct Ports: Sendable, Hashable {
        package let publicPort: Int
        package let adminPort: Int
    }

    private let opening = Mutex<(publicPort: Int?, adminPort: Int?)>((nil, nil))
    private let stream: AsyncStream<Ports>
    private let continuation: AsyncStream<Ports>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Waits until both ports are open. Nil when the caller was cancelled before. To be asked once.
    package func opened() async -> Ports? {
        for await ports in stream { return ports }
        return nil
    }

    /// Nil as long as the public port is not open.
    var publicPort: Int? { opening.withLock { $0.publicPort } }

    func publicPortOpened(_ port: Int?) { update { $0.publicPort = port } }
    func adminPortOpened(_ port: Int?) { update { $0.adminPort = port } }

    private func update(_ change: @Sendable (inout (publicPort: Int?, adminPort: Int?)) -> Void) {
        let (publicPort, adminPort) = opening.withLock { ports in
            change(&ports)
            return ports
        }
        guard let publicPort, let adminPort else { return }
        continuation.yield(Ports(publicPort: publicPort, adminPort: adminPort))
    }
}
