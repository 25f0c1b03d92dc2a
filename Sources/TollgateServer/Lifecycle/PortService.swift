import ConnectionFailures
import NIOCore
package import ServiceLifecycle

/// Serves one port, and says which one when it cannot be opened.
package struct PortService<Server: Service>: Service {
    private let server: Server
    private let host: String
    private let port: Int
    private let option: String

    /// - Parameter option: The command-line option that moves the port.
    package init(_ server: Server, host: String, port: Int, option: String) {
        (self.server, self.host, self.port, self.option) = (server, host, port, option)
    }

    package func run() async throws {
        do {
            try await server.run()
        } catch let error as IOError {
            let failure = ConnectionFailure(error)
            throw PortUnavailable(
                address: "\(host):\(port)", option: option, failure: failure,
                owner: failure.kind == .addressInUse ? ListeningProcess(port: port) : nil)
        }
    }
}

/// A port of the gateway cannot be opened.
struct PortUnavailable: Error, CustomStringConvertible {
    let address: String
    let option: String
    let failure: ConnectionFailure

    /// Who has it, where that can be told.
    let owner: ListeningProcess?

    var description: String { "\(address) cannot be opened: \(reason). \(remedy)" }

    private var reason: String { owner.map { "\($0) listens there" } ?? failure.description }

    private var remedy: String {
        switch failure.kind {
        case .addressInUse: "End what listens there, or choose another port with \(option)"
        case .permissionDenied: "Choose a port from 1024 on with \(option), or let the program bind lower ones"
        case .noSuchAddress: "Give an address that this machine has"
        default: "Choose another port with \(option)"
        }
    }
}
