import NIOCore
import ServiceLifecycle

/// Serves one port, and says which one when it cannot be opened.
struct PortService<Server: Service>: Service {
    let server: Server

    /// Such as `127.0.0.1:8080`.
    let address: String

    /// The command-line option that moves it.
    let option: String

    func run() async throws {
        do {
            try await server.run()
        } catch let error as IOError {
            throw PortUnavailable(address: address, option: option, reason: "\(error)")
        }
    }
}

/// A port of the gateway cannot be opened.
struct PortUnavailable: Error, CustomStringConvertible {
    let address: String
    let option: String
    let reason: String

    var description: String {
        "\(address) cannot be opened: \(reason). End what listens there, or choose another port with \(option)"
    }
}
