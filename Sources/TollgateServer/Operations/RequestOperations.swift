import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What has become of a user's last requests, or of one request.
struct RequestOperations: Sendable {
    let log: RedisRequestLog

    /// What this worker remembers itself. Nil on the command line.
    let accessLog: AccessLog?

    var endpoints: [OperatorEndpoint] { [.init(.get, "requests", .viewer, list)] }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 20)
        let wanted = ["user": request.call.query["user"], "requestId": request.call.query["id"]]
            .compactMapValues(\.self)
        func isWanted(_ entry: RedisRequestLog.Entry) -> Bool { wanted.allSatisfy { entry[$0.key] == $0.value } }
        let own = await accessLog?.recentRequests().map(\.entry).filter(isWanted) ?? []
        let told = try await log.entries(maximumCount: limit, where: isWanted)
        // A worker's own are among those that it has told of.
        let all = Set(own + told).sorted { ($0["time"] ?? "") > ($1["time"] ?? "") }
        return OperatorAnswer(["requests": .array(all.prefix(limit).map(Self.json))])
    }

    private static let numbers: Set<String> = ["status", "durationMs", "upstreamMs", "requestBytes", "answerBytes"]

    static func json(of entry: RedisRequestLog.Entry) -> JSON {
        .object(
            RecentRequest.fieldNames.map { name in
                let text = entry[name]
                let value = numbers.contains(name) ? text.flatMap { JSON(parsing: $0.utf8) } : text.map(JSON.string)
                return JSON.Member(name: name, value: value ?? .null)
            })
    }
}

extension RecentRequest {
    /// As the access log names them.
    static let fieldNames = [
        "time", "requestId", "method", "path", "status", "verdict", "route", "user", "plan", "upstream", "durationMs",
        "upstreamMs", "requestBytes", "answerBytes", "cause",
    ]

    /// As the stream in Redis has it.
    var entry: RedisRequestLog.Entry {
        let texts: [String: String?] = [
            "time": time.iso8601Milliseconds, "requestId": line.requestID, "method": line.method,
            "path": line.loggedPath, "status": "\(line.status)", "verdict": line.verdict, "route": line.route,
            "user": line.user, "plan": line.plan, "upstream": line.upstream,
            "durationMs": Self.milliseconds(line.nanoseconds),
            "upstreamMs": line.upstreamNanoseconds.map(Self.milliseconds), "requestBytes": "\(line.requestBytes)",
            "answerBytes": "\(line.answerBytes)", "cause": line.cause.map { String($0.prefix(512)) },
        ]
        return RedisRequestLog.Entry(fields: texts.compactMapValues(\.self))
    }

    private static func milliseconds(_ nanoseconds: Int64) -> String {
        let microseconds = String(max(nanoseconds, 0) / 1000 % 1000)
        return "\(max(nanoseconds, 0) / 1_000_000)." + String(repeating: "0", count: 3 - microseconds.count)
            + microseconds
    }
}
