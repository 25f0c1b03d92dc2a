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
        let standing = try await gatekeeper.standing(request.headers, from: context.network)
        let (usage, rate) = (standing.decision.usage, standing.decision.rate)
        return Response(
            json: [
                "userId": .string(standing.principal.userID.value),
                "usage": usage.json,
                "rateLimit": rate.json(at: standing.time),
            ],
            headers: RateLimitHeaders.fields(for: standing.decision, at: standing.time))
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
