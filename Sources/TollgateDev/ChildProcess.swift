import Dispatch
import Synchronization

#if canImport(Glibc)
package import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A program that runs beside us, in a process group of its own: a terminal's Ctrl-C reaches the gateway only, which
/// drains first and ends its children then.
///
/// One thread starts the child and then sleeps in the kernel until the child has ended. It cannot end before, so the
/// parent-death signal, which Linux ties to the *thread* that started a process, comes only with the death of the
/// whole parent.
///
/// A child that is not ended runs as long as this process does; forgetting the object changes nothing.
package final class ChildProcess: Sendable {
    /// Where the child's standard output and standard error go, both to the same place.
    package enum Output: Sendable, Hashable {
        /// Nowhere.
        case discard
        /// To the end of a file, created for its owner alone when it is missing.
        case file(String)
        /// To ``ChildProcess/lines``.
        case lines
    }

    /// How a child ended.
    package enum ExitStatus: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
    }

    private enum State {
        case running(waiting: [CheckedContinuation<ExitStatus, Never>])
        case ended(ExitStatus)
    }

    /// The most lines that ``lines`` keeps for a reader that is late or never comes. The newest are kept.
    package static let keptLines = 10_000

    /// The child's process number, for as long as it runs.
    package let pid: pid_t

    /// What the child writes with ``Output/lines``, line by line, until its last writer is gone; else empty. For one
    /// reader.
    package let lines: AsyncStream<String>

    private let state = Mutex(State.running(waiting: []))

    private init(pid: pid_t, lines: AsyncStream<String>) {
        self.pid = pid
        self.lines = lines
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: A path when it has a slash, else a name to look up in `PATH`.
    ///   - arguments: Without the program's own name.
    ///   - environment: All of the child's environment. Nil hands on ours.
    ///   - output: Where the child's output goes.
    /// - Throws: ``ChildProcessError``.
    package static func start(
        _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil, output: Output = .discard
    ) throws(ChildProcessError) -> ChildProcess {
        let launch = try Launch(program: program, arguments: arguments, environment: environment, output: output)
        let started = DispatchSemaphore(value: 0)
        let result = Mutex<Result<ChildProcess, ChildProcessError>?>(nil)
        // A serial queue of its own keeps its thread for as long as its one block runs.
        DispatchQueue(label: "tollgate.child").async {
            let child = oneAtATime.withLock { _ in Result { () throws(ChildProcessError) in try launched(launch) } }
            result.withLock { $0 = child }
            started.signal()
            try? child.get().collect()
        }
        started.wait()
        guard let child = result.withLock({ $0 }) else { preconditionFailure("signalled before the result was set") }
        return try child.get()
    }

    /// Two children that start at once could inherit each other's pipe, and hold it open after the other has ended.
    private static let oneAtATime = Mutex(())

    private static func launched(_ launch: Launch) throws(ChildProcessError) -> ChildProcess {
        let (lines, sink) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(keptLines))
        let pid = try launch.run { line in
            if let line { sink.yield(line) } else { sink.finish() }
        }
        return ChildProcess(pid: pid, lines: lines)
    }

    /// Nil while the child runs.
    package var exitStatus: ExitStatus? {
        state.withLock { state in
            if case .ended(let status) = state { status } else { nil }
        }
    }

    /// Sends a signal to the child alone, and to no process once it has ended.
    package func signal(_ number: Int32) {
        state.withLock { state in
            // Only under the lock is the number certain to be our child's: it is given back under the lock, too.
            if case .running = state { _ = kill(pid, number) }
        }
    }

    /// Stops the child where it stands, as a hanging process or machine would; `signal(SIGCONT)` lets it go on.
    /// Returns when it has stopped.
    package func suspend() {
        state.withLock { state in
            guard case .running = state else { return }
            _ = kill(pid, SIGSTOP)
            awaitChange(WSTOPPED | WEXITED)
        }
    }

    /// Waits until the child has ended. Cancelling does not shorten it.
    package func wait() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let status: ExitStatus? = state.withLock { state in
                switch state {
                case .running(let waiting):
                    state = .running(waiting: waiting + [continuation])
                    return nil
                case .ended(let status):
                    return status
                }
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    /// Asks the child to end, and makes it end when it has not within the time given. Cancelling does not take that
    /// time away from it.
    @discardableResult
    package func terminate(graceSeconds: Int = 10) async -> ExitStatus {
        signal(SIGTERM)
        // A suspended process acts on no signal but this one.
        signal(SIGCONT)
        let escalation = Task {
            try await Task.sleep(for: .seconds(graceSeconds))
            signal(SIGKILL)
        }
        let status = await wait()
        escalation.cancel()
        return status
    }

    /// Blocks until the child has ended, takes its status from the kernel and resumes all that wait.
    private func collect() {
        awaitChange(WEXITED)
        let (waiting, status) = state.withLock { state in
            var code: Int32 = 0
            // SAFETY: the kernel writes to `code` during the call only.
            let collected = unsafe waitpid(pid, &code, 0) == pid
            // The kernel was told to forget our children's statuses (SIGCHLD ignored): ended, with an unknown status.
            let status: ExitStatus = collected ? ExitStatus(waitStatus: code) : .exited(255)
            guard case .running(let waiting) = state else { preconditionFailure("collected twice") }
            state = .ended(status)
            return (waiting, status)
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }

    /// Blocks until the child has changed as asked, and leaves its process number taken: no other can have it.
    private func awaitChange(_ changes: Int32) {
        // SAFETY: the kernel writes to `information` during the call only, and it is not read.
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(pid), &information, changes | WNOWAIT) == -1, errno == EINTR {}
    }
}

extension ChildProcess.ExitStatus: CustomStringConvertible {
    /// The number that `waitpid` gives: a signal in the lowest seven bits, else a code in the byte above them.
    fileprivate init(waitStatus: Int32) {
        let number = waitStatus & 0x7f
        self = number == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(number)
    }

    package var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let number): "ended by signal \(number)"
        }
    }
}
