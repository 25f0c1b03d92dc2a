import TestSupport
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// One walk through a ``Tour``: the gateway as `make run` starts it, and one shell that takes block after block as it
/// stands, in a directory where the program is found as in the repository.
struct TourRun {
    /// What differs, in the order of the page; readable.
    let differences: [String]

    /// What the terminal of `make run` shows.
    let serverLines: [String]

    /// Whether a clock minute ended on the way. The counts of a minute are others then than those that are shown.
    let crossedMinute: Bool

    /// How ``make run`` starts what it has built; the Makefile is held to it.
    static let command = ".build/release/tollgate dev --data .tollgate/dev"

    /// - Parameters:
    ///   - directory: Empty.
    ///   - patienceSeconds: How long the terminal of `make run` may take to say what is shown.
    init(_ page: String, in directory: String, patienceSeconds: Int = 20) async throws {
        let network = try await TourNetwork.find()
        let tour = try Tour(parsing: network.translated(page))
        let script = Self.script(tour, serverFlags: network.serverFlags, patienceSeconds: patienceSeconds)
        try Self.prepare(directory, script: script)
        for (number, step) in tour.steps.enumerated() {
            guard case .shell(let block, _) = step else { continue }
            try block.text.write(toFile: "\(directory)/\(number).sh", atomically: true, encoding: .utf8)
        }
        let status = try await Self.ended(
            ChildProcess.start(
                network.command[0], network.command.dropFirst() + ["bash", "-e", "\(directory)/script", directory]))
        serverLines = Self.lines(of: "\(directory)/server.log")
        crossedMinute = FileManager.default.fileExists(atPath: "\(directory)/crossed-minute")
        var differences: [String] = []
        var log = serverLines[...]
        for (number, step) in tour.steps.enumerated() {
            let difference =
                switch step {
                case .shell(let commands, let shown):
                    Self.difference(commands, shown, printed: Self.lines(of: "\(directory)/\(number).out"))
                case .server(let shown): Self.difference(shown, in: &log)
                }
            if let difference { differences.append(difference) }
        }
        if status != .exited(0), differences.isEmpty { differences = ["the tour \(status)"] }
        self.differences = differences
    }

    private static func difference(_ commands: Tour.Block, _ shown: Tour.Block?, printed: [String]) -> String? {
        TourDifference.between(shown: shown?.lines ?? [], printed: printed).map { difference in
            "README.md:\(shown?.line ?? commands.line) shows (-) other than is printed (+) by\n\n"
                + "\(commands.text)\n\(difference)\n"
        }
    }

    /// Looks for what is shown in the rest of the log.
    private static func difference(_ shown: Tour.Block, in log: inout ArraySlice<String>) -> String? {
        let first = shown.lines.first
        let printed = log.drop { $0 != first }.prefix(shown.lines.count)
        defer { log = log.dropFirst(printed.isEmpty ? 0 : printed.endIndex - log.startIndex) }
        let found = printed.isEmpty ? Array(log.suffix(20)) : Array(printed)
        return TourDifference.between(shown: shown.lines, printed: found).map { difference in
            "README.md:\(shown.line) shows (-) other than `make run` says (+)\n\n\(difference)\n"
        }
    }

    private static func lines(of file: String) -> [String] {
        let contents = FileManager.default.contents(atPath: file) ?? Data()
        // Heads of HTTP answers end their lines with CR LF, which is one character to Swift.
        var lines = String(decoding: contents, as: UTF8.self).replacing("\r\n", with: "\n")
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    private static func prepare(_ directory: String, script: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: "\(directory)/.build/release", withIntermediateDirectories: true)
        try manager.createSymbolicLink(
            atPath: "\(directory)/.build/release/tollgate", withDestinationPath: Worker.program)
        try script.write(toFile: "\(directory)/script", atomically: true, encoding: .utf8)
    }

    /// Starts the gateway, does the steps and ends the gateway as Ctrl-C does. Ends at the first command that fails.
    private static func script(_ tour: Tour, serverFlags: String, patienceSeconds: Int) -> String {
        let steps = tour.steps.enumerated().map { number, step in
            switch step {
            case .shell: ". ./\(number).sh > \(number).out 2>&1"
            case .server(let block):
                // Without it the comparison finds out.
                "await '\((block.lines.last ?? "").replacing("'", with: #"'\''"#))' \(patienceSeconds) || true"
            }
        }
        return """
            cd "$1"
            # As in a terminal.
            export FAKETTY=1
            await() {
                local deadline=$((SECONDS + $2))
                until grep -qxF -e "$1" server.log; do
                    [ $SECONDS -lt $deadline ] || return 1
                    sleep 0.1
                done
            }
            minute() { echo $(($(date +%s) / 60)); }
            \(command)\(serverFlags) > server.log 2>&1 &
            server=$!
            finish() {
                [ "${started:=$(minute)}" = "$(minute)" ] || touch crossed-minute
                kill -INT $server
                wait $server
            }
            trap 'status=$?; finish || status=$?; kill -KILL $(jobs -p) 2> /dev/null || true; exit $status' EXIT
            await 'Ctrl-C stops everything.' 60
            started=$(minute)
            \(steps.joined(separator: "\n"))

            """
    }

    /// Waits for the end of the tour, which must not take for ever, with all that it has started.
    private static func ended(_ process: ChildProcess) async -> ChildProcess.ExitStatus {
        let deadline = Task {
            try await Task.sleep(for: .seconds(100))
            // It leads a process group.
            kill(-process.pid, SIGTERM)
        }
        let status = await process.wait()
        deadline.cancel()
        return status
    }
}

/// Where a tour finds the ports that README.md names: in a network of its own, or, where the system allows none, on
/// free ports in their place.
struct TourNetwork {
    /// What goes before a command that is to run there.
    let command: [String]

    /// The ports in place of those that README.md names.
    private let ports: [Int: Int]

    private static let serverPorts = [
        ("port", 8080), ("admin-port", 9090), ("identity-port", 9091), ("stripe-port", 9092), ("clerk-port", 9093),
        ("redis-port", 36_379),
    ]
    private static let apiPort = 3000

    static func find() async throws -> TourNetwork {
        // A new network's loopback interface is down. The tour has a Python, and not everybody has an `ip`.
        let raise = """
            import fcntl, os, socket, struct, sys
            up = struct.pack("16sh", b"lo", 0x49)
            fcntl.ioctl(socket.socket(), 0x8914, up)
            os.execvp(sys.argv[1], sys.argv[1:])
            """
        let own = ["unshare", geteuid() == 0 ? "-n" : "-rn", "python3", "-c", raise]
        if let probe = try? ChildProcess.start(own[0], own.dropFirst() + ["true"]), await probe.wait() == .exited(0) {
            return TourNetwork(command: own, ports: [:])
        }
        var ports: [Int: Int] = [:]
        for port in serverPorts.map(\.1) + [apiPort] { ports[port] = try await Loopback.freePort() }
        return TourNetwork(command: ["env"], ports: ports)
    }

    /// What the program is told of it.
    var serverFlags: String {
        Self.serverPorts.compactMap { name, port in ports[port].map { " --\(name) \($0)" } }.joined()
    }

    /// A text with the ports that are in use here.
    func translated(_ page: String) -> String {
        page.replacing(/\b[0-9]{4,5}\b/) { match in
            Int(match.output).flatMap { ports[$0] }.map(String.init) ?? String(match.output)
        }
    }
}
