import Logging
import Synchronization
import TestSupport
import Testing

@testable import TollgateServer

/// A shutdown ends, and says what it waited for when it has to be cut short.
@Suite(.timeLimit(.minutes(6))) struct ShutdownDeadlineTests {
    @Test func aShutdownThatHangsEndsWithALineThatNamesWhatHangs() async throws {
        let parts = RunningParts()
        for part in ["Redis", "requests on the public port", "draining"] { parts.began(part) }
        parts.ended("draining")
        let log = KeptLog()
        let hasEnded = Atomic<Bool>(false)
        let deadline = ShutdownDeadline(
            seconds: 0, logger: log.logger, hanging: { parts.last ?? "" },
            end: { hasEnded.store(true, ordering: .relaxed) })
        deadline.begin()
        try await eventually("the process is ended") { hasEnded.load(ordering: .relaxed) }
        #expect(log.lines.contains { $0.contains("the shutdown took too long") && $0.contains("public port") })
    }
}
