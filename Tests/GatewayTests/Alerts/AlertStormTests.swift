import JSONValue
import Synchronization
import TestSupport
import Testing
import TollgateDev
import TollgateServer

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Many users use their quotas up on several workers, of which some are killed meanwhile: each line is told once.
///
/// `TOLLGATE_ALERT_USERS=1000` lets so many users do it.
@Suite(.timeLimit(.minutes(15))) struct AlertStormTests {
    private static let users =
        ProcessInfo.processInfo.environment["TOLLGATE_ALERT_USERS"].flatMap { Int($0) } ?? 80
    private static let connections = 64
    private static let quota = 10

    /// Workers that come and go.
    private final class Places: Sendable {
        private let ports: Mutex<[Int]>

        /// Calls that were answered.
        let answered = Atomic(0)

        /// The next user to call.
        private let next = Atomic(0)

        init(_ workers: [Worker]) { ports = Mutex(workers.map(\.port)) }

        var anyPort: Int { ports.withLock { $0.randomElement() ?? 0 } }

        /// Those that were started in the place of others.
        let successors = Mutex<[Worker]>([])

        func put(_ worker: Worker, in place: Int) {
            successors.withLock { $0.append(worker) }
            ports.withLock { $0[place] = worker.port }
        }

        func takeUser() -> Int? {
            let number = next.add(1, ordering: .relaxed).oldValue
            return number < AlertStormTests.users ? number : nil
        }
    }

    @Test func eachLineIsToldOnceThoughWorkersAreKilled() async throws {
        let plans = "plans:\n  free: { quota: \(Self.quota), ratePerMinute: 100000 }\n"
        try await AlertInbox.with { inbox, url in
            try await withFleet(workers: 4, plans: plans, settings: AlertTests.settings(url)) { fleet in
                let places = Places(fleet.workers)
                let (workers, environment) = (fleet.workers, fleet.environment)
                let tokens = try (0..<Self.users).map { try fleet.token("user_\($0)") }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<Self.connections {
                        group.addTask {
                            while let number = places.takeUser() {
                                await Self.useUp(tokens[number], places)
                            }
                        }
                    }
                    group.addTask {
                        for (place, part) in [(0, 0.25), (1, 0.6)] {
                            let calls = Int(Double(Self.users * Self.quota) * part)
                            try await eventually("\(calls) calls", within: .seconds(300)) {
                                places.answered.load(ordering: .relaxed) >= calls
                            }
                            workers[place].process.signal(SIGKILL)
                            _ = await workers[place].process.wait()
                            let successor = try await Worker.start(environment: environment)
                            places.put(successor, in: place)
                        }
                    }
                    try await group.waitForAll()
                }
                let wanted = Set((0..<Self.users).flatMap { user in [50, 80, 100].map { "user_\(user) \($0)" } })
                try await eventually("all are told", within: .seconds(120)) {
                    Set(inbox.messages.map(AlertTests.line)).count >= wanted.count
                }
                try await eventually("nothing is left to be sent", within: .seconds(90)) {
                    let answer = try await HTTP.get("/admin/v1/alerts?state=pending", port: fleet.workers[2].adminPort)
                    return JSON(parsing: answer.body.utf8)?["counts"]["pending"].integer == 0
                }
                let messages = inbox.messages
                let lines = Dictionary(messages.map { ($0.id, AlertTests.line($0)) }) { $1 }
                #expect(Set(lines.values) == wanted)
                #expect(lines.count == wanted.count, "two ids for one line")
                #expect(try await AlertTests.judge(messages) == "\(messages.count)")
                print("\(lines.count) alerts in \(messages.count) messages")
                for worker in places.successors.withLock(\.self) { await worker.process.terminate() }
            }
        }
    }

    /// Calls until the quota is used up. A call whose worker is killed is made again, counted or not.
    private static func useUp(_ token: String, _ places: Places) async {
        while true {
            guard let answer = try? await HTTP.verify(token, port: places.anyPort) else { continue }
            places.answered.add(1, ordering: .relaxed)
            if answer.status == 403 || answer.member("code") == "quota-exceeded" { return }
        }
    }
}
