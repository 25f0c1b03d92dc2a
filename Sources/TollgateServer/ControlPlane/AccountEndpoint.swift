import HTTPTypes
import Hummingbird
import JSONValue
import TollgateCore
import TollgateDataPlane

/// `GET /account`: all that a customer's page shows, in one answer.
struct AccountEndpoint: Sendable {
    static let historyDays = 30

    let reads: AccountReads
    let stores: AccountStores
    let offers: PlanOffers

    var endpoint: EndpointTable.Endpoint { .init(method: .get, path: "/account", handler: tell) }

    @Sendable private func tell(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let admitted = try await reads.reader(request, context)
        do throws(StoreUnavailable) {
            let account = try await stores.account(of: admitted.principal.userID, at: admitted.time)
            var headers = RateLimitHeaders.fields(for: admitted.decision, at: admitted.time)
            headers.append(HTTPField(name: .cacheControl, value: "no-store"))
            return Response(json: json(admitted, account), headers: headers)
        } catch {
            throw reads.gatekeeper.refusal(of: error)
        }
    }

    private func json(_ admitted: AdmittedCaller, _ account: Account) -> JSON {
        let decision = admitted.decision
        return [
            "userId": .string(admitted.principal.userID.value),
            "time": .moment(admitted.time),
            "usage": decision.usage.jsonWithReset,
            "rateLimit": decision.rate.json(at: admitted.time),
            "plans": offers.json,
            "subscription": offers.json(of: account.bought) ?? .null,
            "credentials": account.credentials.map {
                .object($0.members + [$0.previousMember(at: admitted.time)])
            } ?? .null,
            "keys": .array(account.keys.map { $0.json(at: admitted.time) }),
            "maximumKeys": .integer(KeyLimits.maximumCount),
            "history": Self.json(of: account.days),
        ]
    }

    /// The days, and for each route its calls on each of them; the route with most calls first.
    private static func json(of days: [UsageDay]) -> JSON {
        var totals: [String: Int] = [:]
        for day in days { totals.merge(day.calls, uniquingKeysWith: +) }
        let routes = totals.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        return [
            "days": .array(days.map { .string($0.day.description) }),
            "routes": .array(
                routes.map { route in
                    ["name": .string(route), "calls": .array(days.map { .integer($0.calls[route] ?? 0) })]
                }),
        ]
    }
}
