import HTTPTypes
import Hummingbird
import JSONValue
import TollgateCore
import TollgateDataPlane

/// `GET /usage/history`: what the user was charged for and refused, by day or month.
struct UsageHistoryEndpoint: Sendable {
    let reads: AccountReads
    let history: any UsageHistory

    var endpoint: EndpointTable.Endpoint { .init(method: .get, path: "/usage/history", handler: tell) }

    @Sendable private func tell(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let reader = try await reads.reader(request, context)
        let today = CalendarDay(containing: reader.time)
        let range = try Self.range(request, today: today)
        do throws(StoreUnavailable) {
            let days = try await history.days(range.dayCount, until: range.last, of: reader.principal.userID)
            var headers = RateLimitHeaders.fields(for: reader.decision, at: reader.time)
            headers.append(HTTPField(name: .cacheControl, value: "no-store"))
            return Response(json: Self.json(days, range, of: reader.principal.userID, today: today), headers: headers)
        } catch {
            throw reads.gatekeeper.refusal(of: error)
        }
    }

    private static func range(_ request: Request, today: CalendarDay) throws(APIError) -> UsageRange {
        let query = request.uri.queryParameters
        do throws(UsageRange.Problem) {
            return try UsageRange(
                from: query["from"].map { String($0) }, to: query["to"].map { String($0) },
                granularity: query["granularity"].map { String($0) }, route: query["route"].map { String($0) },
                today: today)
        } catch {
            throw refusal(of: error)
        }
    }

    private static func refusal(of problem: UsageRange.Problem) -> APIError {
        switch problem {
        case .noDay(let parameter):
            APIError(
                .badRequest, error: "Invalid date", code: "invalid-date",
                message: "'\(parameter)' is a day (UTC) in the form YYYY-MM-DD, such as 2026-11-26.")
        case .unknownGranularity:
            APIError(
                .badRequest, error: "Invalid granularity", code: "invalid-granularity",
                message: "'granularity' is day or month.")
        case .endsBeforeItBegins:
            APIError(
                .badRequest, error: "Invalid range", code: "invalid-range",
                message: "'from' is a day after 'to'. Both days are part of the range.")
        case .tooLong:
            APIError(
                .badRequest, error: "Invalid range", code: "invalid-range",
                message: "A range has at most \(UsageDay.keptDays) days, which is how long the history is kept.")
        }
    }

    private static func json(_ days: [UsageDay], _ range: UsageRange, of user: UserID, today: CalendarDay) -> JSON {
        [
            "userId": .string(user.value),
            "from": .string(range.first.description),
            "to": .string(range.last.description),
            "granularity": .string(range.granularity.rawValue),
            "keptSince": .string(today.days(before: UsageDay.keptDays - 1).description),
            "history": .array(range.entries(days).map { json(of: $0, withRefusals: range.route == nil) }),
        ]
    }

    private static func json(of entry: UsageRange.Entry, withRefusals: Bool) -> JSON {
        let routes = entry.calls.sorted { $0.key < $1.key }
        let refusals = CountedRefusal.allCases.map {
            JSON.Member(name: $0.rawValue, value: .integer(entry.refusals[$0] ?? 0))
        }
        return .object(
            [
                JSON.Member(name: "date", value: .string(entry.name)),
                JSON.Member(name: "calls", value: .integer(entry.allCalls)),
                JSON.Member(
                    name: "routes",
                    value: .object(routes.map { JSON.Member(name: $0.key, value: .integer($0.value)) })),
            ] + (withRefusals ? [JSON.Member(name: "refusals", value: .object(refusals))] : []))
    }
}
