package import HTTPTypes
import HTTPWire
package import NIOCore
package import TollgateCore

/// All limits in the header fields of every metered answer, admitted or refused.
package enum RateLimitHeaders {
    /// `RateLimit` and `RateLimit-Policy` tell of all limits (IETF httpapi, draft-ietf-httpapi-ratelimit-headers-10);
    /// `X-RateLimit-*` have room for one and tell of the one that will refuse first.
    package static func fields(for decision: AdmissionDecision, at time: UnixTime) -> HTTPFields {
        let limits = Limits(decision, at: time)
        var fields = HTTPFields()
        // Room for the other fields of an answer as well; appended, since a lookup of each would cost more than all.
        fields.reserveCapacity(16)
        func append(_ name: HTTPField.Name, _ write: (inout TextWriter) -> Void) {
            var value = ByteBuffer()
            value.writeText(room: maximumBytes, write)
            fields.append(HTTPField(name: name, value: String(buffer: value)))
        }
        append(.rateLimitPolicy) { limits.writePolicy(to: &$0) }
        append(.rateLimit) { limits.writeStanding(to: &$0) }
        append(.xRateLimitLimit) { $0.decimal(limits.binding.limit) }
        append(.xRateLimitRemaining) { $0.decimal(limits.binding.remaining) }
        append(.xRateLimitReset) { $0.decimal(limits.binding.resetSeconds) }
        return fields
    }

    /// The same fields as lines of a head.
    package static func write(_ decision: AdmissionDecision, at time: UnixTime, to buffer: inout ByteBuffer) {
        let limits = Limits(decision, at: time)
        let binding = limits.binding
        buffer.writeText(room: maximumBytes) { lines in
            lines.text("RateLimit-Policy: ")
            limits.writePolicy(to: &lines)
            lines.text("\r\nRateLimit: ")
            limits.writeStanding(to: &lines)
            lines.text("\r\nX-RateLimit-Limit: ")
            lines.decimal(binding.limit)
            lines.text("\r\nX-RateLimit-Remaining: ")
            lines.decimal(binding.remaining)
            lines.text("\r\nX-RateLimit-Reset: ")
            lines.decimal(binding.resetSeconds)
            lines.lineEnd()
        }
    }

    /// Of all lines together: what stands in them and fifteen numbers of 20 digits take 492.
    private static let maximumBytes = 512
}

/// The limits of one decision, in the order in which they are told.
private struct Limits {
    struct Limit {
        /// As it is written: quoted, with the semicolon behind it.
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
        minute = Limit("\"minute\";", decision.rate, at: time)
        route = decision.routeRate.map { Limit("\"route\";", $0, at: time) }
        month = Limit("\"month\";", decision.usage, at: time)
    }

    /// The one that will refuse first.
    var binding: Limit {
        var binding = minute
        if let route, route.remaining < binding.remaining { binding = route }
        return month.remaining < binding.remaining ? month : binding
    }

    func writePolicy(to text: inout TextWriter) {
        write("q=", minute.limit, ";w=", minute.windowSeconds, of: minute, &text)
        if let route {
            text.text(", ")
            write("q=", route.limit, ";w=", route.windowSeconds, of: route, &text)
        }
        text.text(", ")
        write("q=", month.limit, ";w=", month.windowSeconds, of: month, &text)
    }

    func writeStanding(to text: inout TextWriter) {
        write("r=", minute.remaining, ";t=", minute.resetSeconds, of: minute, &text)
        if let route {
            text.text(", ")
            write("r=", route.remaining, ";t=", route.resetSeconds, of: route, &text)
        }
        text.text(", ")
        write("r=", month.remaining, ";t=", month.resetSeconds, of: month, &text)
    }

    private func write(
        _ first: StaticString, _ firstValue: Int, _ second: StaticString, _ secondValue: Int, of limit: Limit,
        _ text: inout TextWriter
    ) {
        text.text(limit.name)
        text.text(first)
        text.decimal(firstValue)
        text.text(second)
        text.decimal(secondValue)
    }
}

extension HTTPField.Name {
    package static let rateLimit = constant("RateLimit")
    static let rateLimitPolicy = constant("RateLimit-Policy")
    static let xRateLimitLimit = constant("X-RateLimit-Limit")
    static let xRateLimitRemaining = constant("X-RateLimit-Remaining")
    static let xRateLimitReset = constant("X-RateLimit-Reset")
    package static let xRequestID = constant("X-Request-Id")
}
