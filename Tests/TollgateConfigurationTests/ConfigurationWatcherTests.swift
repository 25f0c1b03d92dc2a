import FoundationEssentials
import Logging
import Synchronization
import Testing
import TollgateConfiguration
import TollgateCore

/// Each with a real file. What is waited for comes as an event; the time limit is for one that never comes.
@Suite(.timeLimit(.minutes(6))) struct ConfigurationWatcherTests {
    private static func yaml(_ names: String..., more: String = "") -> String {
        "routes:\n" + names.map { "- {name: \($0), path: /\($0)}\n" }.joined() + more
    }

    @Test func changeIsTakenOver() async throws {
        try await withWatcher(Self.yaml("a")) { watched in
            try watched.write(Self.yaml("a", "b"))
            #expect(await watched.nextRoutes() == ["a", "b"])
            try watched.write(Self.yaml("b"))
            #expect(await watched.nextRoutes() == ["b"])
            #expect(!watched.log.hasWarnings)
        }
    }

    @Test func badChangeKeepsTheOldOneAndSaysWhy() async throws {
        try await withWatcher(Self.yaml("a")) { watched in
            try watched.write("routes:\n- {name: a, path: /a, retries: 9}\n- {name: B, path: /b}\n")
            let first = await watched.log.next(.error)
            #expect(first.contains("stay as they are"))
            #expect(first.contains("tollgate.yaml:2: route 'a', retries: 9 is out of range. Give 0 to 5."))
            #expect(await watched.log.next(.error).contains("tollgate.yaml:3: route 2, name"))
            try watched.write(Self.yaml("a", "c"))
            // Nothing came in between.
            #expect(await watched.nextRoutes() == ["a", "c"])
        }
    }

    @Test func fileThatIsGoneKeepsTheOldOne() async throws {
        try await withWatcher(Self.yaml("a")) { watched in
            try watched.remove()
            #expect(await watched.log.next(.error).contains("gone or blank"))
            watched.watcher.reload()
            #expect(await watched.log.next(.error).contains("gone or blank"))
            try watched.write(Self.yaml("b"))
            #expect(await watched.nextRoutes() == ["b"])
        }
    }

    /// As a full disk leaves it.
    @Test func blankFileKeepsTheOldOne() async throws {
        try await withWatcher(Self.yaml("a")) { watched in
            try watched.write("")
            #expect(await watched.log.next(.error).contains("gone or blank"))
            try watched.write("# no routes any more\n")
            #expect(await watched.nextRoutes() == [])
        }
    }

    /// A file that is named and cannot be read is a problem like any other.
    @Test func namedFileThatIsGoneKeepsTheOldOne() async throws {
        try await withWatcher(Self.yaml("a"), flags: ["TOLLGATE_CONFIG": "./tollgate.yaml"]) { watched in
            try watched.remove()
            #expect(await watched.log.next(.error).contains("flag --config: the file './tollgate.yaml' cannot be read"))
            try watched.write(Self.yaml("b"))
            #expect(await watched.nextRoutes() == ["b"])
        }
    }

    @Test func fileThatAppearsIsRead() async throws {
        try await withWatcher(nil) { watched in
            try watched.write(Self.yaml("a"))
            #expect(await watched.nextRoutes() == ["a"])
        }
    }

    /// Kubernetes mounts a directory of links, and changes where one of them leads.
    @Test func linkThatLeadsElsewhereIsAChange() async throws {
        try await withWatcher(nil) { watched in
            let manager = FileManager.default
            for (name, route) in [("one", "a"), ("two", "b")] {
                try manager.createDirectory(atPath: watched.directory + "/" + name, withIntermediateDirectories: false)
                try Data(Self.yaml(route).utf8).write(to: URL(filePath: watched.directory + "/\(name)/tollgate.yaml"))
            }
            try manager.createSymbolicLink(atPath: watched.directory + "/data", withDestinationPath: "one")
            try manager.createSymbolicLink(
                atPath: watched.directory + "/tollgate.yaml", withDestinationPath: "data/tollgate.yaml")
            #expect(await watched.nextRoutes() == ["a"])
            try manager.removeItem(atPath: watched.directory + "/data")
            try manager.createSymbolicLink(atPath: watched.directory + "/data", withDestinationPath: "two")
            #expect(await watched.nextRoutes() == ["b"])
        }
    }

    /// With looks so rare that none of them falls into the test.
    @Test func reloadIsDoneAtOnce() async throws {
        try await withWatcher(Self.yaml("a"), interval: .seconds(3_600)) { watched in
            watched.watcher.reload()
            #expect(await watched.nextRoutes() == ["a"])
            try watched.write(Self.yaml("b"))
            watched.watcher.reload()
            #expect(await watched.nextRoutes() == ["b"])
        }
    }

    @Test func otherSettingsWaitForARestartAndAreToldOnce() async throws {
        try await withWatcher(Self.yaml("a"), interval: .seconds(3_600)) { watched in
            func reload(_ yaml: String) async throws {
                try watched.write(yaml)
                watched.watcher.reload()
                _ = await watched.nextRoutes()
            }
            try await reload(Self.yaml("a", "b", more: "port: 81\nplans: {free: {quota: 7}}\n"))
            let warning = await watched.log.next(.warning)
            #expect(warning.contains("settings=TOLLGATE_PORT"))
            #expect(warning.contains("restart"))
            try await reload(Self.yaml("c", more: "\n\nport: 81\nplans: {free: {quota: 7}}\n"))
            #expect(!watched.log.hasWarnings)
            try await reload(Self.yaml("c", more: "stripe: {secretKey: sk_test_hunter2}\n"))
            let secret = await watched.log.next(.warning)
            #expect(secret.contains("STRIPE_SECRET_KEY"))
            #expect(!secret.contains("hunter2"))
            #expect(!watched.log.hasWarnings)
        }
    }

    @Test func watcherEndsWhenItIsCancelled() async throws {
        // The helper waits for its end.
        try await withWatcher(Self.yaml("a"), interval: .seconds(3_600)) { _ in }
    }
}

/// A watcher at work, in a directory of its own.
private struct Watched {
    let watcher: ConfigurationWatcher
    let directory: String
    let log: RecordedLog
    let applied: Events<[String]>

    /// The names of the routes that are handed over next.
    func nextRoutes() async -> [String] { await applied.next() ?? [] }

    func write(_ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: directory + "/tollgate.yaml"), options: .atomic)
    }

    func remove() throws { try FileManager.default.removeItem(atPath: directory + "/tollgate.yaml") }
}

private func withWatcher(
    _ yaml: String?, flags: [String: String] = [:], interval: Duration = .milliseconds(10),
    _ body: (Watched) async throws -> Void
) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    if let yaml { try Data(yaml.utf8).write(to: URL(filePath: directory + "/tollgate.yaml")) }
    let configuration = try GatewayConfiguration.load(
        flags: flags, environment: ConfigurationFixture.minimal, workingDirectory: directory)
    let log = RecordedLog()
    let applied = Events<[String]>()
    let watcher = ConfigurationWatcher(configuration: configuration, interval: interval, logger: log.logger) {
        applied.add($0.routes.routes.map(\.name))
    }
    let running = Task { try await watcher.run() }
    do {
        try await body(Watched(watcher: watcher, directory: directory, log: log, applied: applied))
    } catch {
        running.cancel()
        throw error
    }
    running.cancel()
    try await running.value
}

/// Waits for one event after the other.
private final class Events<Event: Sendable>: Sendable {
    private let stream: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func add(_ event: Event) { continuation.yield(event) }

    /// Nil when the test ran out of time.
    func next() async -> Event? { await stream.first { _ in true } }
}

/// What was logged, by level.
private final class RecordedLog: Sendable {
    private let errors = Events<String>()
    private let warnings = Events<String>()
    private let waiting = Mutex(0)

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    /// Whether there are warnings that the test has not taken yet.
    var hasWarnings: Bool { waiting.withLock { $0 > 0 } }

    func next(_ level: Logger.Level) async -> String {
        let line = await (level == .error ? errors : warnings).next() ?? ""
        if level == .warning { waiting.withLock { $0 -= 1 } }
        return line
    }

    fileprivate func add(_ level: Logger.Level, _ line: String) {
        switch level {
        case .error: errors.add(line)
        case .warning:
            waiting.withLock { $0 += 1 }
            warnings.add(line)
        default: break
        }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).map { "\($0)=\($1)" }.joined(separator: " ")
            log.add(event.level, "\(event.message) \(details)")
        }
    }
}
