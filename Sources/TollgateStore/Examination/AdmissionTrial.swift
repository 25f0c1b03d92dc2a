import Hiredis
import Libcrypto
import RedisClient
import TollgateCore

/// Admissions of a user who does not exist, one after another, as a worker would make them.
package struct AdmissionTrial: Sendable {
    /// How long each that was answered took, the shortest first.
    package var durations: [Duration] = []

    /// Of the answered ones, how many were admitted.
    package var admitted = 0

    /// Why others failed, once each.
    package var failures: [String] = []

    /// Whether what was written could be taken away again.
    package var isCleanedUp = true

    package init() {}

    /// The duration that so many of 100 do not exceed. Nil without any.
    package func percentile(_ percent: Int) -> Duration? {
        guard !durations.isEmpty else { return nil }
        return durations[min(durations.count - 1, durations.count * percent / 100)]
    }
}

/// Makes an ``AdmissionTrial``.
struct AdmissionTrialRunner: Sendable {
    /// Admissions that are made.
    private static let wantedCount = 200

    /// When it is over, however many were made.
    private static let maximumDuration: Duration = .seconds(4)

    /// When what it wrote ends by itself, should it end before it is taken away.
    private static let keptSeconds = 240

    /// As many calls on top of every limit.
    private static let credit = 1_000_000

    let client: RedisClient
    let store: RedisAdmissionStore
    let clock: RedisClock

    func run() async -> AdmissionTrial {
        var trial = AdmissionTrial()
        guard let user = UserID("doctor-" + RandomBytes.hex(count: 8)) else { return trial }
        let started = clock.now()
        await giveCredit(to: user, at: started)
        let deadline = ContinuousClock.now + Self.maximumDuration
        for _ in 0..<Self.wantedCount where ContinuousClock.now < deadline && !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(StoreUnavailable) {
                let request = AdmissionRequest(principal: Principal(userID: user), time: clock.now(), route: "doctor")
                let decision = try await store.admit(request)
                trial.durations.append(ContinuousClock.now - start)
                if decision.outcome == .admitted { trial.admitted += 1 }
            } catch {
                if !trial.failures.contains(error.reason) { trial.failures.append(error.reason) }
                // One that hangs is not asked 200 times.
                if trial.failures.count > 2 || trial.durations.isEmpty { break }
            }
        }
        trial.durations.sort()
        trial.isCleanedUp = await remove(user, from: started)
        return trial
    }

    /// The plans' limits are those of customers. A count below zero lets it pass them with the script that customers'
    /// calls are decided by, and no other.
    private func giveCredit(to user: UserID, at time: UnixTime) async {
        let minutes = Self.windows(from: time).map { RedisKey.rateLimit(user, $0) }
        _ = try? await client.results(
            of: [
                RedisCommand("HSET", .usage(user), "usageCount", "\(-Self.credit)"),
                RedisCommand("EXPIRE", .usage(user), "\(Self.keptSeconds)"),
            ]
                + minutes.map { RedisCommand("SET", $0, "\(-Self.credit)", "EX", "\(Self.keptSeconds)") })
    }

    private func remove(_ user: UserID, from time: UnixTime) async -> Bool {
        let days = [time, clock.now()].map { RedisKey.usage(user, inTenDaysOf: CalendarDay(containing: $0)) }
        let keys = [RedisKey.usage(user)] + days + Self.windows(from: time).map { RedisKey.rateLimit(user, $0) }
        let reply = try? await client.execute(RedisCommand("DEL", keys: keys))
        return reply != nil
    }

    /// The minute of `time` and the next, in which the last of them may fall.
    private static func windows(from time: UnixTime) -> [RateWindow] {
        [RateWindow(containing: time), RateWindow(containing: time.adding(seconds: 60))]
    }
}
