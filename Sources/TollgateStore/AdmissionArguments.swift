import NIOCore
import RedisClient
import Synchronization
import TollgateCore

/// What many admissions have in common: the plan table, and everything that changes once a second. It is encoded once
/// and sent by all of them.
final class AdmissionArguments: Sendable {
    /// How long a usage record outlives its period, for whoever looks at it afterwards.
    private static let recordKeptSeconds: Int64 = 31 * 86_400

    let plans: [Plan]

    /// How many arguments ``Moment/arguments`` holds.
    let count: Int

    private let pastDueGraceSeconds: Int64
    private let encodedPlans: ByteBuffer
    private let latest: Mutex<Moment>

    /// What holds for one second.
    struct Moment: Sendable {
        let second: Int64
        let period: BillingPeriod
        let window: RateWindow

        /// The clock minute as it stands in the names of counters.
        let minute: String

        /// The arguments 6 to the end of the plan table of `admit.lua`, as they go over the wire.
        let arguments: ByteBuffer
    }

    init(plans: PlanTable, pastDueGraceSeconds: Int64) {
        self.plans = plans.plans
        self.pastDueGraceSeconds = pastDueGraceSeconds
        encodedPlans = Self.encode(plans)
        count = 6 + 3 * plans.plans.count
        latest = Mutex(Self.moment(at: UnixTime(seconds: 0), pastDueGraceSeconds, encodedPlans))
    }

    /// What holds at `time`. Remembered for as long as nobody asks for another second.
    func moment(at time: UnixTime) -> Moment {
        let second = time.seconds
        return latest.withLock { latest in
            if latest.second != second { latest = Self.moment(at: time, pastDueGraceSeconds, encodedPlans) }
            return latest
        }
    }

    private static func moment(at time: UnixTime, _ pastDueGraceSeconds: Int64, _ plans: ByteBuffer) -> Moment {
        let (period, window) = (BillingPeriod(containing: time), RateWindow(containing: time))
        let recordLifetime = period.end.seconds - time.seconds + recordKeptSeconds
        var arguments = ByteBuffer()
        arguments.writeArgument(period.firstDay.description)
        arguments.writeArgument(period.lastDay.description)
        arguments.writeArgument(time)
        arguments.writeArgument(Int(recordLifetime))
        arguments.writeArgument(UnixTime(seconds: max(0, time.seconds - pastDueGraceSeconds)))
        arguments.writeImmutableBuffer(plans)
        return Moment(
            second: time.seconds, period: period, window: window, minute: String(window.minute), arguments: arguments)
    }

    private static func encode(_ table: PlanTable) -> ByteBuffer {
        var encoded = ByteBuffer()
        encoded.writeArgument(table.plans.firstIndex(of: table.fallback) ?? 0)
        for plan in table.plans {
            encoded.writeArgument(plan.name)
            encoded.writeArgument(plan.quota)
            encoded.writeArgument(plan.ratePerMinute)
        }
        return encoded
    }
}

extension ByteBuffer {
    /// A moment as ISO 8601 in UTC.
    mutating func writeArgument(_ time: UnixTime) {
        let (date, minute, second) = time.iso8601Words
        writeArgument(date, minute, second)
    }
}
