import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing
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

@Suite(.timeLimit(.minutes(6)))
struct RedisServerProcessTests {
    @Test
    func startsAndStops() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: "\(directory)/data", unixSocket: true)
            #expect(server.url == "redis://127.0.0.1:\(server.port)")
            #expect(try await ask(server, "PING") == "+PONG")
            #expect(try permissions(of: "\(directory)/data") == 0o700)
            let socket = try #require(server.unixSocketPath)
            #expect(FileManager.default.fileExists(atPath: socket))
            let log = try String(contentsOfFile: server.logPath, encoding: .utf8)
            #expect(log.contains("Ready to accept connections"))
            await server.stop()
            #expect(kill(server.pid, 0) == -1)
            #expect(!FileManager.default.fileExists(atPath: socket))
        }
    }

    @Test(arguments: [true, false])
    func dataOutlivesARestart(orderly: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory, persistence: .appendOnly)
            let pid = server.pid
            #expect(try await ask(server, "SET colour green") == "+OK")
            if !orderly { await server.kill() }
            try await server.restart()
            #expect(server.pid != pid)
            #expect(try await ask(server, "EXISTS colour") == ":1")
            await server.stop()
        }
    }

    @Test
    func nothingOutlivesARestartWithoutPersistence() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory)
            #expect(try await ask(server, "SET colour green") == "+OK")
            try await server.restart()
            #expect(try await ask(server, "EXISTS colour") == ":0")
            await server.stop()
        }
    }

    @Test
    func suspendedServerAnswersWhenItResumes() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory)
            server.suspend()
            let answer = Task { try await ask(server, "PING") }
            #if os(Linux)
            let status = try String(contentsOfFile: "/proc/\(server.pid)/stat", encoding: .utf8)
            let name = RedisServerProcess.program.split(separator: "/").last ?? ""
            #expect(status.contains("(\(name)) T "))
            #endif
            server.resume()
            #expect(try await answer.value == "+PONG")
            await server.stop()
        }
    }

    @Test
    func passwordIsAnAnswer() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(
                directory: directory, extraArguments: ["--requirepass", "secret", "--loglevel", "warning"])
            #expect(try await ask(server, "PING").hasPrefix("-NOAUTH"))
            await server.stop()
        }
    }

    @Test
    func takenPortIsNamed() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: "\(directory)/one")
            await #expect(throws: RedisServerError.portTaken(server.port)) {
                try await RedisServerProcess.start(directory: "\(directory)/two", port: server.port)
            }
            await server.stop()
        }
    }

    @Test
    func preferredPortIsTakenWhenItIsFree() async throws {
        try await withTemporaryDirectory { directory in
            let free = try await Loopback.freePort()
            let one = try await RedisServerProcess.start(directory: "\(directory)/one", preferredPort: free)
            #expect(one.port == free)
            let two = try await RedisServerProcess.start(directory: "\(directory)/two", preferredPort: free)
            #expect(two.port != free)
            #expect(try await ask(two, "PING") == "+PONG")
            await one.stop()
            await two.stop()
        }
    }

    @Test
    func leftOverServerIsNamed() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory)
            let expected = RedisServerError.alreadyRunning(pid: server.pid, directory: directory)
            await #expect(throws: expected) { try await RedisServerProcess.start(directory: directory) }
            #expect("\(expected)".contains("`kill \(server.pid)`"))
            await server.kill()
            // The pid file is still there; its process is not.
            let next = try await RedisServerProcess.start(directory: directory)
            await next.stop()
        }
    }

    @Test
    func wrongArgumentShowsTheLog() async throws {
        try await withTemporaryDirectory { directory in
            let error = await #expect(throws: RedisServerError.self) {
                try await RedisServerProcess.start(directory: directory, extraArguments: ["--no-such-option", "1"])
            }
            #expect(error.map { "\($0)" }?.contains("no-such-option") == true)
        }
    }

    @Test
    func longSocketPathIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let long = "\(directory)/\(String(repeating: "x", count: 100))"
            await #expect(throws: RedisServerError.socketPathTooLong("\(long)/redis.sock")) {
                try await RedisServerProcess.start(directory: long, unixSocket: true)
            }
        }
    }

    @Test
    func serviceStopsWithTheGroup() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory)
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [
                        .init(service: server),
                        .init(service: Finished(), successTerminationBehavior: .gracefullyShutdownGroup),
                    ],
                    logger: Logger(label: "test")))
            try await group.run()
            #expect(kill(server.pid, 0) == -1)
        }
    }

    @Test
    func serviceFailsWhenTheServerDies() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory)
            let running = Task { try await server.run() }
            await server.kill()
            let error = await #expect(throws: RedisServerError.self) { try await running.value }
            #expect(error.map { "\($0)" }?.contains(server.logPath) == true)
        }
    }

    #if os(Linux)
    @Test
    func serverDiesWithAParentThatIsKilled() async throws {
        try await withTemporaryDirectory { directory in
            await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
                _ = try await RedisServerProcess.start(directory: directory, port: nil)
                kill(getpid(), SIGKILL)
            }
            // An orderly end is the log's last word; the pid may be a zombie's that no parent collects.
            try await eventually {
                let log = try String(contentsOfFile: "\(directory)/redis.log", encoding: .utf8)
                return log.contains("bye bye")
            }
        }
    }
    #endif

    /// Has nothing to do, and so ends its group.
    private struct Finished: Service {
        func run() async throws {}
    }

    /// The first line of the answer to one command.
    private func ask(_ server: RedisServerProcess, _ command: String) async throws -> String {
        let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "\(command)\r\n"))
            var answer = ""
            for try await part in inbound {
                answer += String(buffer: part)
                if let line = answer.split(separator: "\r\n").first, answer.contains("\r\n") { return String(line) }
            }
            return answer
        }
    }
}
