import HTTPTypes
import Hummingbird
import JSONValue
import TollgateCore
import TollgateDataPlane

/// `GET /account`: all that a customer's page shows, in one answer. Costs no call and takes no place in the minute, so
/// that a page may ask every few seconds.
struct AccountEndpoint: Sendable {
    /// Answers for one user in a minute, on each worker.
    static let readsPerMinute = 120

    /// Users whose reads are counted.
    static let countedUsers = 16_384

    static let historyDays = 30

    let gatekeeper: Gatekeeper
    let stores: AccountStores
    let offers: PlanOffers
    private let reads = MinuteLimiter<UserID>(limit: readsPerMinute, capacity: countedUsers)

    init(gatekeeper: Gatekeeper, stores: AccountStores, offers: PlanOffers) {
        self.gatekeeper = gatekeeper
        self.stores = stores
        self.offers = offers
    }

    var endpoint: EndpointTable.Endpoint { .init(method: .get, path: "/account", handler: tell) }

    @Sendable private func tell(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let credential = try gatekeeper.presented(request.headers, from: context.network)
        guard case .token = credential else { throw APIError.accountNeedsSessionToken }
        let principal = try await gatekeeper.principal(credential, from: context.network)
        let now = gatekeeper.time.now()
        guard reads.admits(principal.userID, at: now) else { throw Self.tooManyReads(at: now) }
        let admitted = try await gatekeeper.limits(of: principal, from: context.network)
        do throws(StoreUnavailable) {
            let account = try await stores.account(of: admitted.principal.userID, at: admitted.time)
            var headers = RateLimitHeaders.fields(for: admitted.decision, at: admitted.time)
            headers.append(HTTPField(name: .cacheControl, value: "no-store"))
            return Response(json: json(admitted, account), headers: headers)
        } catch {
            throw gatekeeper.refusal(of: error)
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
            "subscription": account.subscription.map { offers.json(of: $0) } ?? .null,
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

    private static func tooManyReads(at time: UnixTime) -> APIError {
        let seconds = RateWindow(containing: time).secondsLeft(at: time)
        var error = APIError(
            .tooManyRequests, error: "Too many reads", code: "too-many-reads",
            message: "Ask at most \(readsPerMinute) times a minute. Try again in \(seconds) s.")
        error.headers[.retryAfter] = "\(seconds)"
        return error
    }
}
