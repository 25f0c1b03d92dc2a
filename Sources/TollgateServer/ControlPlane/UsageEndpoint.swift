import HTTPTypes
import Hummingbird
import JSONValue
import TollgateCore
import TollgateDataPlane

/// `GET /usage`: where the caller's limits stand. Costs nothing, and answers as well when both are used up.
struct UsageEndpoint: Sendable {
    let gatekeeper: Gatekeeper

    var endpoint: EndpointTable.Endpoint { .init(method: .get, path: "/usage", handler: tell) }

    @Sendable private func tell(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let admitted = try await gatekeeper.limits(request.headers, from: context.network)
        let (usage, rate) = (admitted.decision.usage, admitted.decision.rate)
        return Response(
            json: [
                "userId": .string(admitted.principal.userID.value),
                "usage": usage.jsonWithReset,
                "rateLimit": rate.json(at: admitted.time),
            ],
            headers: RateLimitHeaders.fields(for: admitted.decision, at: admitted.time))
    }
}

extension UsageSnapshot {
    /// With the moment at which the quota begins anew, which the days of a subscription's period do not tell.
    var jsonWithReset: JSON {
        let members = json.members ?? []
        let added = [
            JSON.Member(name: "period", value: .string(period.kind.rawValue)),
            JSON.Member(name: "resetsAt", value: .moment(period.end)),
        ]
        return .object(members.dropLast() + added + members.suffix(1))
    }
}

extension RateSnapshot {
    func json(at time: UnixTime) -> JSON {
        [
            "limit": .integer(limit), "remaining": .integer(remaining),
            "resetSeconds": .integer(Int(secondsUntilReset(at: time))),
        ]
    }
}
