import Libcrypto
import Logging
import TollgateCore
import TollgateStore

/// Looks for alerts that no worker has told of: after a worker has died between an admission and the outbox, after calls
/// that were booked later, and of keys that end soon. One worker at a time does it.
///
/// It goes through the users who have called lately. What is told already is known by a mark of the user's, and what is not
/// marked and told all the same is known in the outbox: an alert is always the same one, whoever finds it.
struct AlertSweeper: Sendable {
    let state: RedisAlertSweep
    let outboxes: RedisAlertOutboxes
    let users: RedisUserIndex
    let data: RedisUserData
    let keys: any KeyStore
    let plans: InForce<PlanTable>
    let time: any TimeSource
    let logger: Logger

    /// Between two sweeps, be they of this worker or of another, as long as no worker vanishes.
    private static let intervalSeconds: Int64 = 600

    /// How often a worker looks whether it is time.
    private static let lookInterval: Duration = .seconds(5)

    /// After one that failed.
    private static let retryInterval: Duration = .seconds(30)

    /// Users who have called in this time before the last sweep, or before now, are looked at. The index has the day of
    /// their last call.
    private static let lookBackSeconds: Int64 = 2 * 86_400

    /// Users and keys that are read at a time, and the pause behind them: nobody waits for it.
    private static let readAtATime = 500
    private static let pause: Duration = .milliseconds(100)

    /// Sweeps when it is time, until the task is cancelled.
    func runForEver() async {
        // Workers that are started together do not ask all at once.
        var pause = Duration.milliseconds(Int64.random(in: 500...2000))
        while (try? await Task.sleep(for: pause)) != nil {
            pause = Self.lookInterval
            guard time.isKnown else { continue }
            do {
                if try await isTime() { try await sweep() }
            } catch {
                pause = Self.retryInterval
                logger.debug("the sweep for alerts failed", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func isTime() async throws(StoreUnavailable) -> Bool {
        let now = time.now()
        guard let ranAt = try await state.ranAt(), ranAt <= now else { return true }
        if now.seconds - ranAt.seconds >= Self.intervalSeconds { return true }
        return try await state.workerVanished(since: ranAt, at: now)
    }

    /// Why a sweep ends early.
    private struct BrokenOff: Error {}

    /// Goes through all, unless another worker is at it.
    func sweep() async throws {
        let (token, start) = (RandomBytes.hex(count: 16), time.now())
        guard try await state.hold(token: token) else { return }
        do {
            let beginning = try await state.beginning(orElse: start)
            let found = try await sweepUsers(token, since: beginning, at: start) + sweepKeys(token, at: start)
            try await state.write(ranAt: start)
            if found > 0 { logger.notice("alerts were found that were not told", metadata: ["count": "\(found)"]) }
        } catch {
            await release(token)
            throw error
        }
        await release(token)
    }

    /// A task of its own, for the present one may have been cancelled: then Redis would not be asked.
    private func release(_ token: String) async {
        await Task { [state] in try? await state.release(token: token) }.value
    }

    // MARK: Users

    /// - Parameter beginning: Calls before it are not told of.
    /// - Returns: How many alerts were found.
    private func sweepUsers(_ token: String, since beginning: UnixTime, at start: UnixTime) async throws -> Int {
        let ranAt = try await state.ranAt() ?? start
        let oldest = min(ranAt, start).adding(seconds: -Self.lookBackSeconds)
        var (last, found): (RedisUserIndex.Entry?, Int) = (nil, 0)
        while true {
            guard try await state.hold(token: token) else { throw BrokenOff() }
            // Those who called last come first.
            let entries = try await users.users(after: last, maximumCount: Self.readAtATime)
            let recent = entries.filter { $0.score >= Double(oldest.seconds) }
            let now = time.now()
            let reached = try await data.summaries(of: recent.map(\.user)).flatMap { summary in
                summary.lastAdmittedAt.map { $0 >= beginning } == true ? alerts(of: summary, at: now) : []
            }
            found += try await addMissing(reached, at: now)
            guard entries.count == Self.readAtATime, recent.count == entries.count else { return found }
            last = entries.last
            try await Task.sleep(for: Self.pause)
        }
    }

    /// The thresholds that a user's calls have reached, as an admission would say.
    private func alerts(of summary: RedisUserData.Summary, at time: UnixTime) -> [Alert] {
        guard let calls = summary.calls, let period = summary.billingPeriod,
            period.end.adding(seconds: Alert.foundAfterPeriodSeconds) > time
        else { return [] }
        let plans = plans.current
        let plan =
            summary.terms.plan(among: plans, at: time) ?? summary.planLastSeen.flatMap { plans[$0] } ?? plans.fallback
        let limit = summary.terms.quota(of: plan, in: period.name, at: time)
        return plan.alerts.reached(with: calls, of: limit).map { percent in
            .quotaThreshold(
                .init(
                    user: summary.user, plan: plan.name, period: period, percent: percent, used: calls, limit: limit))
        }
    }

    // MARK: Keys

    private func sweepKeys(_ token: String, at start: UnixTime) async throws -> Int {
        let end = start.adding(seconds: Alert.ExpiringKey.noticeSeconds)
        var (place, found) = (0, 0)
        while true {
            guard try await state.hold(token: token) else { throw BrokenOff() }
            let ending = try await state.keysExpiring(
                from: start, until: end, place: place, maximumCount: Self.readAtATime)
            let marks = try await outboxes.marks(of: ending.map(\.user))
            var alerts: [Alert] = []
            for (key, marks) in zip(ending, marks) {
                // The key is read only where it may have to be told of.
                let presumed = Alert.keyExpiring(
                    .init(user: key.user, keyID: key.key, name: "", expiresAt: key.expiresAt))
                guard !marks.contains(presumed.messageID),
                    let record = try await keys.keys(of: key.user).first(where: { $0.id == key.key }),
                    let expiresAt = record.terms.expiresAt
                else { continue }
                alerts.append(
                    .keyExpiring(
                        .init(user: key.user, keyID: key.key, name: record.terms.name, expiresAt: expiresAt)))
            }
            found += try await addMissing(alerts, at: time.now())
            guard ending.count == Self.readAtATime else { return found }
            place += ending.count
            try await Task.sleep(for: Self.pause)
        }
    }

    // MARK: What was not told

    /// - Returns: How many of `alerts` were not told.
    private func addMissing(_ alerts: [Alert], at time: UnixTime) async throws -> Int {
        let users = Array(Set(alerts.map(\.user)))
        guard !users.isEmpty else { return 0 }
        let marks = Dictionary(uniqueKeysWithValues: zip(users, try await outboxes.marks(of: users)))
        let missing = alerts.filter { marks[$0.user]?.contains($0.messageID) != true }
        var found = 0
        for start in stride(from: 0, to: missing.count, by: Self.readAtATime) {
            let part = missing[start..<min(missing.count, start + Self.readAtATime)]
            guard let new = try await outboxes.add(Array(part), at: time) else {
                logger.error(
                    "the outbox of alerts is full", metadata: ["remedy": "tollgate alerts list says what is in it"])
                throw BrokenOff()
            }
            found += new
        }
        return found
    }
}
