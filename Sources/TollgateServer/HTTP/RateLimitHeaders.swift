import HTTPTypes
import TollgateCore

/// Both limits in the header fields of every metered answer, admitted or refused.
package enum RateLimitHeaders {
    /// `RateLimit` and `RateLimit-Policy` tell of both limits (IETF httpapi, draft-ietf-httpapi-ratelimit-headers-10);
    /// `X-RateLimit-*` have room for one and tell of the one that will refuse first.
    package static func fields(for decision: AdmissionDecision, at time: UnixTime) -> HTTPFields {
        let (rate, usage) = (decision.rate, decision.usage)
        let rateReset = rate.secondsUntilReset(at: time)
        let usageReset = usage.secondsUntilReset(at: time)
        let rateBinds = rate.remaining <= usage.remaining
        var fields = HTTPFields()
        // Room for the other fields of an answer as well; appended, since a lookup of each would cost more than all.
        fields.reserveCapacity(16)
        func append(_ name: HTTPField.Name, _ value: String) { fields.append(HTTPField(name: name, value: value)) }
        append(
            .rateLimitPolicy,
            "\"minute\";q=\(rate.limit);w=\(RateWindow.lengthSeconds), "
                + "\"month\";q=\(usage.limit);w=\(usage.period.lengthSeconds)")
        append(
            .rateLimit,
            "\"minute\";r=\(rate.remaining);t=\(rateReset), \"month\";r=\(usage.remaining);t=\(usageReset)")
        append(.xRateLimitLimit, String(rateBinds ? rate.limit : usage.limit))
        append(.xRateLimitRemaining, String(rateBinds ? rate.remaining : usage.remaining))
        append(.xRateLimitReset, String(rateBinds ? rateReset : usageReset))
        return fields
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

    private static func constant(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("'\(name)' is no field name") }
        return name
    }
}
