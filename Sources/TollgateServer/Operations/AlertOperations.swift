import HTTPTypes
import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators do about alerts on their way.
struct AlertOperations: Sendable {
    let outboxes: [RedisAlertOutbox]
    let audit: AuditTrail

    var endpoints: [OperatorEndpoint] {
        [
            .init(.get, "alerts", .viewer, list), .init(.post, "alerts/replay", .support, replayDead),
            .init(.post, "alerts/{alert}/replay", .support, replay),
        ]
    }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 100)
        var standings = RedisAlertOutbox.Standing.allCases
        if let text = request.call.query["state"] {
            guard let standing = RedisAlertOutbox.Standing(rawValue: text) else {
                let names = standings.map(\.rawValue).joined(separator: ", ")
                throw APIError.badRequest("'state' takes one of \(names).")
            }
            standings = [standing]
        }
        var (rows, counts): ([JSON], [String: JSON]) = ([], [:])
        for standing in standings {
            var count = 0
            for outbox in outboxes {
                let listing = try await outbox.list(standing, maximumCount: limit)
                count += listing.count
                rows += listing.alerts.map { Self.json(of: $0.alert, outbox.channel, standing, $0.moment) }
            }
            counts[standing.rawValue] = .integer(count)
        }
        return OperatorAnswer(["counts": JSON(counts), "alerts": .array(Array(rows.prefix(limit)))])
    }

    private static func json(
        of alert: OutgoingAlert, _ channel: Alert.Channel, _ standing: RedisAlertOutbox.Standing, _ moment: UnixTime
    ) -> JSON {
        [
            "id": .string(alert.id), "type": .string(alert.kind.rawValue), "channel": .string(channel.rawValue),
            "state": .string(standing.rawValue), "userId": .string(alert.user.value),
            "attempts": .integer(alert.delivery.attempts), "since": .moment(alert.delivery.since),
            standing == .pending ? "nextAt" : "endedAt": .moment(moment),
            "failure": .text(alert.delivery.failure), "message": JSON(parsing: alert.body.utf8) ?? .null,
        ]
    }

    @Sendable private func replay(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let id = request.parameters["alert"] ?? ""
        return try await audit.record("alerts.replay", id, request) {
            var isReplayed = false
            for outbox in outboxes where try await outbox.replay(id, at: request.time) { isReplayed = true }
            guard isReplayed else { throw Self.notDead }
            return AuditTrail.Outcome(answer: OperatorAnswer(["id": .string(id), "state": "pending"]))
        }
    }

    private static let notDead = APIError(
        .notFound, error: "Alert not found", code: "alert-not-found",
        message: "There is no alert of that id that was given up. One that is pending is sent by itself.")

    @Sendable private func replayDead(_ request: OperatorRequest) async throws -> OperatorAnswer {
        try await audit.record("alerts.replay", nil, request) {
            var count = 0
            for outbox in outboxes { count += try await outbox.replayAll(at: request.time) }
            return AuditTrail.Outcome(
                answer: OperatorAnswer(["replayed": .integer(count)]), after: "\(count) alerts")
        }
    }
}
