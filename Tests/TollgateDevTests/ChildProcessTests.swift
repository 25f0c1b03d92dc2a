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
struct ChildProcessTests {
    @Test(arguments: [0, 1, 7, 255])
    func exitCode(code: Int32) async throws {
        let child = try ChildProcess.start("sh", ["-c", "exit \(code)"])
        #expect(await child.wait() == .exited(code))
        #expect(child.exitStatus == .exited(code))
    }

    @Test
    func everybodyWhoWaitsIsTold() async throws {
        let child = try ChildProcess.start("sleep", ["100"])
        async let first = child.wait()
        async let second = child.wait()
        #expect(child.exitStatus == nil)
        child.signal(SIGKILL)
        #expect(await [first, second, child.wait()] == [.signalled(9), .signalled(9), .signalled(9)])
    }

    @Test
    func nothingIsLeftOfAnEndedChild() async throws {
        let child = try ChildProcess.start("true")
        _ = await child.wait()
        // Not even a zombie has the number any more, and a late signal goes to no process.
        #expect(kill(child.pid, 0) == -1)
        child.signal(SIGKILL)
        #expect(await child.terminate() == .exited(0))
    }

    /// A connection that a child has as well is not hung up when we close it.
    @Test
    func aChildInheritsNoDescriptor() async throws {
        let inheritable = fcntl(STDIN_FILENO, F_DUPFD, 50)
        try #require(inheritable >= 50)
        defer { close(inheritable) }
        let child = try ChildProcess.start(
            "sh", ["-c", "test -e /dev/fd/1 && echo output; test -e /dev/fd/\(inheritable) && echo inherited"],
            output: .lines)
        var lines: [String] = []
        for await line in child.lines { lines.append(line) }
        #expect(lines == ["output"])
    }

    @Test
    func bothOutputsComeAsLines() async throws {
        let child = try ChildProcess.start(
            "sh", ["-c", "echo out; echo err >&2; printf 'cr\\r\\n\\nno end'"], output: .lines)
        var lines: [String] = []
        for await line in child.lines { lines.append(line) }
        #expect(lines == ["out", "err", "cr", "", "no end"])
        #expect(await child.wait() == .exited(0))
    }

    @Test
    func onlyTheNewestLinesAreKept() async throws {
        let count = 20 * ChildProcess.keptLines
        let child = try ChildProcess.start("seq", ["\(count)"], output: .lines)
        _ = await child.wait()
        // What the pipe still holds comes on top of what was kept, and is far less than the rest.
        var lines: [String] = []
        for await line in child.lines { lines.append(line) }
        #expect(lines.last == "\(count)")
        #expect((ChildProcess.keptLines..<count / 2).contains(lines.count))
    }

    @Test
    func discardedOutputHasNoLines() async throws {
        let child = try ChildProcess.start("echo", ["unheard"])
        for await line in child.lines { Issue.record("unexpected: \(line)") }
        #expect(await child.wait() == .exited(0))
    }

    @Test
    func outputGoesToTheEndOfAFile() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/output"
            for word in ["one", "two"] {
                _ = await (try ChildProcess.start("sh", ["-c", "echo \(word) >&2"], output: .file(path))).wait()
            }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "one\ntwo\n")
            #expect(try permissions(of: path) == 0o600)
        }
    }

    @Test
    func environmentReplacesOurs() async throws {
        let child = try ChildProcess.start("/usr/bin/env", environment: ["COLOUR": "green=blue"], output: .lines)
        var lines: [String] = []
        for await line in child.lines { lines.append(line) }
        #expect(lines == ["COLOUR=green=blue"])
    }

    @Test
    func childLeadsItsOwnGroupWithDefaultSignals() async throws {
        let child = try ChildProcess.start("sleep", ["100"])
        #expect(getpgid(child.pid) == child.pid)
        #expect(await child.terminate() == .signalled(SIGTERM))
    }

    @Test
    func terminateEndsWhoDoesNotListen() async throws {
        let child = try ChildProcess.start(
            "sh", ["-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"], output: .lines)
        for await line in child.lines where line == "deaf" { break }
        #expect(await child.terminate(graceSeconds: 1) == .signalled(SIGKILL))
    }

    @Test
    func terminateEndsWhoIsSuspended() async throws {
        let child = try ChildProcess.start("sleep", ["100"])
        child.suspend()
        child.suspend()
        #expect(await child.terminate() == .signalled(SIGTERM))
        child.suspend()
    }

    @Test
    func terminateIsNotHurriedByCancelling() async throws {
        let child = try ChildProcess.start(
            "sh", ["-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"], output: .lines)
        for await line in child.lines where line == "ready" { break }
        let ending = Task { await child.terminate(graceSeconds: 30) }
        ending.cancel()
        #expect(await ending.value == .exited(3))
    }

    @Test
    func missingProgramIsNamed() throws {
        #expect(throws: ChildProcessError.missing(program: "no-such-program")) {
            try ChildProcess.start("no-such-program")
        }
        // A directory can be entered, not run.
        #expect(throws: ChildProcessError.missing(program: "/tmp")) { try ChildProcess.start("/tmp") }
        #expect(throws: ChildProcessError.missing(program: "redis-server")) {
            try ChildProcess.start("redis-server", environment: ["PATH": "/nowhere:/tmp"])
        }
        #if os(Linux)
        #expect(
            "\(ChildProcessError.missing(program: "redis-server"))"
                == "redis-server is missing: apt-get install redis-server")
        #endif
    }

    @Test
    func unwritableOutputIsAnError() throws {
        let error = #expect(throws: ChildProcessError.self) {
            try ChildProcess.start("true", output: .file("/nowhere/output"))
        }
        #expect(error.map { "\($0)" } == "opening /nowhere/output failed: No such file or directory")
    }

    @Test
    func manyAtOnce() async throws {
        try await withThrowingTaskGroup(of: [String].self) { group in
            for number in 0..<40 {
                group.addTask {
                    let child = try ChildProcess.start("echo", ["\(number)"], output: .lines)
                    return await child.lines.reduce(into: []) { $0.append($1) }
                }
            }
            var lines: [String] = []
            for try await line in group { lines += line }
            #expect(lines.compactMap(Int.init).sorted() == Array(0..<40))
        }
    }
}
