import HTTPTypes
import HTTPWire
import NIOCore
import TollgateCore

/// All limits in the header fields of every metered answer, admitted or refused.
package enum RateLimitHeaders {
    /// `RateLimit` and `RateLimit-Policy` tell of all limits (IETF httpapi, draft-ietf-httpapi-ratelimit-headers-10);
    /// `X-RateLimit-*` have room for one and tell of the one that will refuse first.
    package static func fields(for decision: AdmissionDecision, at time: UnixTime) -> HTTPFields {
        var fields = HTTPFields()
        // Room for the other fields of an answer as well; appended, since a lookup of each would cost more than all.
        fields.reserveCapacity(16)
        for (name, write) in lines {
            var value = ByteBuffer()
            write(Limits(decision, at: time), &value)
            fields.append(HTTPField(name: name, value: String(buffer: value)))
        }
        return fields
    }

    /// The same fields as lines of a head.
    static func write(_ decision: AdmissionDecision, at time: UnixTime, to buffer: inout ByteBuffer) {
        let limits = Limits(decision, at: time)
        for (name, write) in lines {
            buffer.writeString(name.rawName)
            buffer.writeStaticString(": ")
            write(limits, &buffer)
            buffer.writeLineEnd()
        }
    }

    private typealias ValueWriter = @Sendable (Limits, inout ByteBuffer) -> Void

    private static let lines: [(name: HTTPField.Name, write: ValueWriter)] = [
        (.rateLimitPolicy, { $0.writePolicy(to: &$1) }),
        (.rateLimit, { $0.writeStanding(to: &$1) }),
        (.xRateLimitLimit, { $1.writeDecimal($0.binding.limit) }),
        (.xRateLimitRemaining, { $1.writeDecimal($0.binding.remaining) }),
        (.xRateLimitReset, { $1.writeDecimal($0.binding.resetSeconds) }),
    ]
}

/// The limits of one decision, in the order in which they are told.
private struct Limits {
    struct Limit {
        let name: StaticString
        let limit: Int
        let remaining: Int
        let windowSeconds: Int
        let resetSeconds: Int

        init(_ name: StaticString, _ rate: RateSnapshot, at time: UnixTime) {
            self.name = name
            limit = rate.limit
            remaining = rate.remaining
            windowSeconds = Int(RateWindow.lengthSeconds)
            resetSeconds = Int(rate.secondsUntilReset(at: time))
        }

        init(_ name: StaticString, _ usage: UsageSnapshot, at time: UnixTime) {
            self.name = name
            limit = usage.limit
            remaining = usage.remaining
            windowSeconds = Int(usage.period.lengthSeconds)
            resetSeconds = Int(usage.secondsUntilReset(at: time))
        }
    }

    let minute: Limit
    let route: Limit?
    let month: Limit

    init(_ decision: AdmissionDecision, at time: UnixTime) {
        minute = Limit("minute", decision.rate, at: time)
        route = decision.routeRate.map { Limit("route", $0, at: time) }
        month = Limit("month", decision.usage, at: time)
    }

    /// The one that will refuse first.
    var binding: Limit {
        var binding = minute
        if let route, route.remaining < binding.remaining { binding = route }
        return month.remaining < binding.remaining ? month : binding
    }

    func writePolicy(to buffer: inout ByteBuffer) {
        each(&buffer) { limit, buffer in
            buffer.writeStaticString("q=")
            buffer.writeDecimal(limit.limit)
            buffer.writeStaticString(";w=")
            buffer.writeDecimal(limit.windowSeconds)
        }
    }

    func writeStanding(to buffer: inout ByteBuffer) {
        each(&buffer) { limit, buffer in
            buffer.writeStaticString("r=")
            buffer.writeDecimal(limit.remaining)
            buffer.writeStaticString(";t=")
            buffer.writeDecimal(limit.resetSeconds)
        }
    }

    private func each(_ buffer: inout ByteBuffer, _ write: (Limit, inout ByteBuffer) -> Void) {
        func one(_ limit: Limit, _ buffer: inout ByteBuffer) {
            buffer.writeInteger(UInt8(ascii: "\""))
            buffer.writeStaticString(limit.name)
            buffer.writeStaticString("\";")
            write(limit, &buffer)
        }
        one(minute, &buffer)
        if let route {
            buffer.writeStaticString(", ")
            one(route, &buffer)
        }
        buffer.writeStaticString(", ")
        one(month, &buffer)
    }
}

extension HTTPField.Name {
    package static let rateLimit = constant("RateLimit")
    package static let rateLimitPolicy = constant("RateLimit-Policy")
    package static let xRateLimitLimit = constant("X-RateLimit-Limit")
    package static let xRateLimitRemaining = constant("X-RateLimit-Remaining")
    package static let xRateLimitReset = constant("X-RateLimit-Reset")
    package static let xRequestID = constant("X-Request-Id")

    /// Who a request was admitted for. What a client sends in it is never believed.
    package static let xTollgateUser = constant("X-Tollgate-User")

    /// The plan that was applied.
    package static let xTollgatePlan = constant("X-Tollgate-Plan")

    /// The secret key that opened the gateway.
    package static let xTollgateKeyID = constant("X-Tollgate-Key-Id")

    private static func constant(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("'\(name)' is no field name") }
        return name
    }
}
