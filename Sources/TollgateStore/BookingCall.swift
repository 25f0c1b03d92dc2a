import Hiredis
import RedisClient
package import TollgateCore

extension RedisAdmissionStore: OutageBookings {
    /// How long it is remembered which batches were booked, in seconds: longer than one may be told again.
    static let bookedKeptSeconds = OutageBook.repeatableMilliseconds / 1000 + 86_400

    package func book(
        _ batch: OutageBook.Batch, passing worker: String, at time: UnixTime
    ) async throws(StoreUnavailable) {
        let call = RedisScript.Call.booking(batch, passing: worker, currentArguments, at: time)
        let reply: RedisReply
        do {
            reply = try await client.call(inBackground: true) { link, identifier, waiter in
                link.run(call, identifier: identifier, waiter: waiter)
            }
        } catch {
            throw StoreUnavailable(error, keys: call.keys)
        }
        switch RedisScript.Call.bookingScript.outcome(of: reply) {
        case .bookedBefore, .booked: return
        case .clockDiffers: throw .clockDiffers(at: time)
        case nil: throw RedisScript.Call.bookingScript.unexpectedReply()
        }
    }
}

extension RedisScript.Call {
    fileprivate static let bookingScript = NamedScript<BookOutageCallsSignature>(
        "book_passes.lua", resource: PackageResources.book_passes_lua,
        prelude: PackageResources.values_lua + Array(UsageHash.luaNames.utf8))

    /// Which keys and arguments `book_passes.lua` is given.
    fileprivate static func booking(
        _ batch: OutageBook.Batch, passing worker: String, _ shared: AdmissionArguments, at time: UnixTime
    ) -> RedisScript.Call {
        let moment = shared.moment(at: time)
        let lines = batch.lines.sorted { $0.day < $1.day }.flatMap { line in
            let period = BillingPeriod(containing: line.day)
            return ["\(period.firstDay)", "\(period.lastDay)", "\(line.day)", line.route, "\(line.calls)"]
        }
        return bookingScript.call(rest: lines) { key in
            switch key {
            case .usage: .usage(batch.userID)
            case .booked: .booked(batch.userID)
            case .subscription: .subscription(batch.userID)
            }
        } with: { argument in
            switch argument {
            case .worker: worker
            case .number: "\(batch.number)"
            case .now: time.iso8601
            case .minute: moment.minute
            case .clockTolerance: shared.comparesClocks ? "\(AdmissionPrelude.clockToleranceSeconds)" : ""
            case .periodStart: "\(moment.period.firstDay)"
            case .periodEnd: "\(moment.period.lastDay)"
            case .recordSeconds: "\(moment.recordLifetimeSeconds)"
            case .bookedSeconds: "\(RedisAdmissionStore.bookedKeptSeconds)"
            }
        }
    }
}

/// What `book_passes.lua` is given before the lines, and what it answers.
private enum BookOutageCallsSignature: ScriptSignature {
    enum Key: String, ScriptName { case usage, booked, subscription }

    enum Argument: String, ScriptName {
        case worker

        /// Of the batch: larger than that of the worker's batches before.
        case number
        case now

        /// The clock minute that it lies in.
        case minute

        /// How far the worker's time may be from that of Redis, in seconds. Empty = it is not to be compared.
        case clockTolerance

        /// The first and the last day of the calendar month (YYYY-MM-DD).
        case periodStart, periodEnd

        /// How long the usage record is kept from now on, and `booked:{user}`.
        case recordSeconds, bookedSeconds
    }

    enum Outcome: String, ScriptName { case bookedBefore, booked, clockDiffers }
}
