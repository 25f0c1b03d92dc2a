#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where the real proxies are, and what is deployed for them.
enum ProxyProgram {
    static let deploy = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "deploy")

    static let searchPath = "/opt/homebrew/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin"

    /// Those that no distribution has are where Tests/Benchmark/install puts them.
    static func path(_ name: String) -> String {
        guard ["traefik", "envoy"].contains(name) else { return name }
        return deploy.deletingLastPathComponent().appending(path: ".build/bench-venv/bin/\(name)").path
    }

    /// - Parameters:
    ///   - file: The configuration, in a `directory` that is there.
    ///   - port: Where Traefik listens, whose file does not say it.
    static func arguments(_ name: String, _ file: String, _ directory: String, port: Int) -> [String] {
        switch name {
        case "nginx": ["-p", directory, "-c", file, "-e", "stderr", "-g", "daemon off; pid \(directory)/pid;"]
        case "caddy": ["run", "--config", file, "--adapter", "caddyfile"]
        case "haproxy": ["-db", "-f", file]
        case "traefik":
            [
                "--entrypoints.public.address=127.0.0.1:\(port)", "--providers.file.filename=\(file)",
                "--global.checknewversion=false", "--global.sendanonymoususage=false",
            ]
        // Further ones of the same id would not start.
        default: ["-c", file, "--use-dynamic-base-id", "--concurrency", "2", "-l", "warning"]
        }
    }
}
