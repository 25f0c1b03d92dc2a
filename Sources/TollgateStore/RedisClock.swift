import Hiredis
import RedisClient
import Synchronization
import TollgateCore

/// The system's clock, corrected by Redis': all workers cut minutes and months at the same moment, whatever their own
/// clocks say. Between two looks at Redis the worker's own clock carries on.
package final class RedisClock: TimeSource {
    private let systemClock: any TimeSource
    private let client: RedisClient
    private let offset = Atomic<Int64>(0)

    /// How often ``run()`` asks Redis for its time.
    package static let interval: Duration = .seconds(10)

    package init(systemClock: any TimeSource, client: RedisClient) {
        self.systemClock = systemClock
        self.client = client
    }

    package func now() -> UnixTime {
        UnixTime(milliseconds: systemClock.now().milliseconds + offset.load(ordering: .relaxed))
    }

    /// What is added to the worker's clock, in milliseconds.
    package var offsetMilliseconds: Int64 { offset.load(ordering: .relaxed) }

    /// Asks Redis for its time. Half of the round trip lies behind us when Redis reads its clock. Keeps the last
    /// offset when Redis does not answer.
    ///
    /// - Returns: Whether Redis answered.
    @discardableResult
    package func synchronize() async -> Bool {
        let before = systemClock.now().milliseconds
        guard let reply = try? await client.execute(RedisCommand("TIME")), let redisTime = Self.time(in: reply) else {
            return false
        }
        let after = systemClock.now().milliseconds
        offset.store(redisTime.milliseconds - (before + (after - before) / 2), ordering: .relaxed)
        return true
    }

    /// What `TIME` answers: seconds, and microseconds of the second. Nil for anything that is no moment.
    package static func time(in reply: RedisReply) -> UnixTime? {
        guard let parts = reply.array, parts.count == 2,
            let second = parts[0].string.flatMap({ Int64($0) }).flatMap({ UnixTime(checkedSeconds: $0) }),
            let microseconds = parts[1].string.flatMap({ Int64($0) }), (0..<1_000_000).contains(microseconds)
        else { return nil }
        return UnixTime(milliseconds: second.milliseconds + microseconds / 1000)
    }

    /// Synchronizes now and every ``interval`` until cancelled; while Redis is away, once a second.
    package func run() async {
        while !Task.isCancelled {
            let answered = await synchronize()
            try? await Task.sleep(for: answered ? Self.interval : .seconds(1))
        }
    }
}
