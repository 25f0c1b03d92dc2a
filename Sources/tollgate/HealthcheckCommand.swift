import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import OutboundCalls
import TollgateConfiguration
import TollgateServer

/// `tollgate healthcheck`: whether the worker beside it is ready. For a container's HEALTHCHECK, which has no curl.
struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck", abstract: "Exit with status 0 when the worker on this machine is ready.",
        discussion: "Asks /readyz on the admin port that the same settings would give 'tollgate serve'.")

    @OptionGroup var settings: SettingOptions

    func run() async throws {
        let configuration = try settings.load()
        let url = "http://\(Self.reachable(configuration.adminHost)):\(configuration.adminPort)/readyz"
        let status: UInt
        do {
            status = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(2)).status.code
        } catch {
            let failure = CallError(error, calling: CalledService(name: "The worker"), at: url)
            throw Process.fail("\(url) does not answer. \(failure.message) Is a worker running with these settings?")
        }
        guard status == 200 else { throw Process.fail("\(url) answers \(status)") }
    }

    /// An address that one listens on may be a wildcard, which leads nowhere.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        default: host.contains(":") ? "[\(host)]" : host
        }
    }
}
