package import Hiredis
package import Logging
package import NIOCore
package import RedisClient
import Synchronization
package import TollgateCore

/// The time of Redis, carried on by the worker's monotonic clock: all workers cut minutes and months at the same moment,
/// whatever their own wall clocks say, and however those are set.
///
/// Redis is asked on every connection before it is used, every second, and when a script finds that the time is another:
/// so tokens are judged by a time that is a second behind at most when Redis' own clock is set. Until the first answer the wall clock stands in, and ``isKnown`` says so.
package final class RedisClock: TimeSource {
    private let systemClock: any TimeSource
    private let monotonicMilliseconds: @Sendable () -> Int64

    /// Redis' time less the monotonic clock's, in milliseconds.
    private let base = Atomic<Int64>(unknown)

    private static let unknown = Int64.min

    /// How often ``run(_:logger:)`` asks Redis for its time.
    package static let interval: Duration = .seconds(1)

    /// What the wall clock may be ahead or behind before it is said.
    package static let toleratedDifferenceMilliseconds: Int64 = 1000

    package init(
        systemClock: any TimeSource,
        monotonicMilliseconds: @escaping @Sendable () -> Int64 = { RedisClock.milliseconds(.now()) }
    ) {
        self.systemClock = systemClock
        self.monotonicMilliseconds = monotonicMilliseconds
    }

    package func now() -> UnixTime {
        let base = base.load(ordering: .relaxed)
        return base == Self.unknown
            ? systemClock.now() : UnixTime(milliseconds: base &+ monotonicMilliseconds())
    }

    package var isKnown: Bool { base.load(ordering: .relaxed) != Self.unknown }

    /// How far the worker's wall clock is ahead of Redis. Nil as long as that is not known.
    package var wallClockAheadMilliseconds: Int64? {
        isKnown ? systemClock.now().milliseconds - now().milliseconds : nil
    }

    /// What a connection to Redis begins with.
    package var greeting: RedisClientConfiguration.Greeting {
        .init(RedisCommand("TIME")) { reply, sentAt in
            self.take(reply, askedAt: Self.milliseconds(sentAt)) ? nil : "Redis does not tell its time"
        }
    }

    /// Asks Redis for its time. Keeps what is known when Redis does not answer.
    ///
    /// - Returns: Whether Redis answered.
    @discardableResult
    package func synchronize(with client: RedisClient) async -> Bool {
        let before = monotonicMilliseconds()
        guard let reply = try? await client.execute(RedisCommand("TIME")) else { return false }
        return take(reply, askedAt: before)
    }

    /// The same over a link, for callers on its event loop. `completion` is called once.
    func synchronize(on link: any RedisLink, completion: @escaping () -> Void) {
        let before = monotonicMilliseconds()
        link.send(RedisCommand("TIME")) { result in
            if case .success(let reply) = result { self.take(reply, askedAt: before) }
            completion()
        }
    }

    /// Half of the round trip lies behind us when Redis reads its clock; by the other half we may be wrong. What is known
    /// already is kept within that, so that a slow answer makes no better clock worse.
    @discardableResult
    private func take(_ reply: RedisReply, askedAt before: Int64) -> Bool {
        guard let redisTime = Self.time(in: reply) else { return false }
        let after = monotonicMilliseconds()
        let (middle, uncertainty) = (before + (after - before) / 2, (after - before) / 2 + 1)
        let estimate = redisTime.milliseconds - middle
        let known = base.load(ordering: .relaxed)
        if known == Self.unknown || abs(known - estimate) > uncertainty { base.store(estimate, ordering: .relaxed) }
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

    /// Asks `client` for the time as often as is needed, and says when the wall clock is wrong, until cancelled.
    package func run(_ client: RedisClient, logger: Logger) async {
        var wallClock = WallClock()
        while !Task.isCancelled {
            await synchronize(with: client)
            if let ahead = wallClockAheadMilliseconds { wallClock.report(ahead: ahead, to: logger) }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// What is remembered of the worker's wall clock.
    private struct WallClock {
        private var isReportedWrong = false

        /// One line when it becomes wrong, and one when it is right again.
        mutating func report(ahead: Int64, to logger: Logger) {
            let isWrong = abs(ahead) > toleratedDifferenceMilliseconds
            guard isWrong != isReportedWrong else { return }
            isReportedWrong = isWrong
            let seconds = "\(Double(ahead / 10) / 100)"
            if isWrong {
                logger.warning(
                    "the clock of this machine differs from that of Redis, which counts; set one of them right",
                    metadata: ["seconds-ahead": "\(seconds)"])
            } else {
                logger.notice("the clock of this machine agrees with that of Redis again")
            }
        }
    }

    /// The monotonic clock in milliseconds.
    package static func milliseconds(_ deadline: NIODeadline) -> Int64 {
        Int64(deadline.uptimeNanoseconds / 1_000_000)
    }
}
