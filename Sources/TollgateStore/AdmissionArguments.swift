import NIOCore
import RedisClient
import Synchronization
import TollgateCore

/// What many admissions have in common: the script with the plan table in it, and everything that changes once a second,
/// which is encoded once and sent by all of them.
final class AdmissionArguments: Sendable {
    /// How long a usage record outlives its period, for operators who look at it afterwards.
    private static let recordKeptSeconds: Int64 = 31 * 86_400

    let plans: [Plan]
    let fallback: Plan

    /// `admit.lua` for these plans.
    let script: RedisScript

    /// Whether scripts compare the time of a call with that of Redis.
    let comparesClocks: Bool

    private let pastDueGraceSeconds: Int64
    private let latest: Mutex<Moment>

    /// What holds for one second.
    struct Moment: Sendable {
        let second: Int64
        let period: BillingPeriod
        let window: RateWindow

        /// How long the usage record is kept from now on, in seconds.
        let recordLifetimeSeconds: Int64

        /// The clock minute as it stands in the names of counters.
        let minute: String

        /// Those that come first, ``SharedAdmissionArgument``, as they go over the wire.
        let arguments: ByteBuffer
    }

    init(plans: PlanTable, pastDueGraceSeconds: Int64, comparesClocks: Bool) {
        self.plans = plans.plans
        fallback = plans.fallback
        self.pastDueGraceSeconds = pastDueGraceSeconds
        self.comparesClocks = comparesClocks
        script = Self.script(plans, comparesClocks: comparesClocks)
        latest = Mutex(Self.moment(at: UnixTime(seconds: 0), pastDueGraceSeconds))
    }

    static func script(_ plans: PlanTable, comparesClocks: Bool) -> RedisScript {
        RedisScript(
            resource: PackageResources.admit_lua,
            prelude: PackageResources.values_lua + PackageResources.give_back_lua
                + Array(AdmissionPrelude.source(plans, comparesClocks: comparesClocks).utf8))
    }

    /// What holds at `time`. Remembered until another second is asked for.
    func moment(at time: UnixTime) -> Moment {
        let second = time.seconds
        return latest.withLock { latest in
            if latest.second != second { latest = Self.moment(at: time, pastDueGraceSeconds) }
            return latest
        }
    }

    private static func moment(at time: UnixTime, _ pastDueGraceSeconds: Int64) -> Moment {
        let (period, window) = (BillingPeriod(containing: time), RateWindow(containing: time))
        let recordLifetime = period.end.seconds - time.seconds + recordKeptSeconds
        var arguments = ByteBuffer()
        for argument in SharedAdmissionArgument.allCases {
            switch argument {
            case .periodStart: arguments.writeArgument(period.firstDay.description)
            case .periodEnd: arguments.writeArgument(period.lastDay.description)
            case .now: arguments.writeArgument(time)
            case .recordSeconds: arguments.writeArgument(Int(recordLifetime))
            case .graceStart:
                arguments.writeArgument(UnixTime(seconds: max(0, time.seconds - pastDueGraceSeconds)))
            }
        }
        return Moment(
            second: time.seconds, period: period, window: window, recordLifetimeSeconds: recordLifetime,
            minute: String(window.minute), arguments: arguments)
    }
}

extension ByteBuffer {
    /// A moment as ISO 8601 in UTC.
    mutating func writeArgument(_ time: UnixTime) {
        let (date, minute, second) = time.iso8601Words
        writeArgument(date, minute, second)
    }
}

extension RedisAdmissionStore {
    /// The scripts that requests take, for the handshake of a connection: a Redis that has just started, or taken
    /// another's place, knows them before the first call. The others travel with a call when Redis does not know them.
    ///
    /// - Parameter comparesClocks: Whether the store goes by the clock of Redis.
    package static func hotScripts(plans: PlanTable, comparesClocks: Bool) -> [RedisScript] {
        [
            AdmissionArguments.script(plans, comparesClocks: comparesClocks), RedisScript.Call.settleScript.script,
            RedisScript.Call.renewScript.script,
        ]
    }
}

/// What many admissions have in common, in the order in which it is given to `admit.lua`: it comes first of all arguments.
enum SharedAdmissionArgument: String, CaseIterable {
    /// The first and the last day of the billing period (YYYY-MM-DD).
    case periodStart, periodEnd

    /// For people (ISO 8601).
    case now

    /// How long the usage record is kept from now on, in seconds.
    case recordSeconds

    /// A user who has owed a payment since then or longer has no grace left (ISO 8601).
    case graceStart
}
