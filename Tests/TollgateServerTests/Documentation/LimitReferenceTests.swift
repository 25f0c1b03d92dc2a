import ClerkAuth
import HTTPWire
import OutboundCalls
import PrometheusMetrics
import SMTPClient
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateServer
import TollgateStore

/// The table of limits says what the program's constants say, as far as those have names that others may know.
@Suite struct LimitReferenceTests {
    /// The beginning of a row, and what it has to say.
    private static let expected: [(row: String, words: [String])] = [
        ("head of a request", ["\(FieldSection.maximumFields) fields"]),
        ("session token", [bytes(SessionToken.maximumBytes)]),
        ("user id", ["\(UserID.maximumLength) letters"]),
        ("calls that passed while Redis was away", [number(OutageBook.maximumLines) + " lines"]),
        (
            "keys of a user |",
            [
                "\(KeyLimits.maximumCount);", "\(KeyDraft.maximumNameLength) bytes",
                "\(KeyScope.maximumCount) scopes of \(KeyScope.maximumLength) characters",
                "\(KeyDraft.maximumAllowedIPs) `allowedIPs`",
            ]
        ),
        (
            "keys that a user makes and rotates",
            ["\(KeyChangeLimits.standard.perMinute) a minute", "\(KeyChangeLimits.standard.perDay) a day"]
        ),
        ("keys of a user that were revoked", ["\(KeyLimits.maximumEndedCount), about"]),
        ("`POST /tickets`", ["kept for \(Ticket.lifetimeSeconds) s"]),
        ("a rotated secret works on", ["\(KeyLimits.maximumOverlapSeconds / 86_400) days"]),
        ("wrong keys from one address", ["\(GuessLimiter.maximumFailures) in a minute"]),
        (
            "`Idempotency-Key`",
            [
                "\(IdempotentCall.maximumKeyLength) characters", "\(IdempotentCall.keptSeconds / 3600) h",
                bytes(IdempotentCall.maximumBodyBytes),
            ]
        ),
        ("calls of a user that are remembered by such a key", [number(IdempotentCall.maximumCount)]),
        (
            "answers that are kept of a user",
            [
                "\(StoredAnswer.maximumCount), \(bytes(StoredAnswer.maximumTotalBytes)) together",
                "head of \(bytes(StoredAnswer.maximumHeadBytes))", "body of \(bytes(StoredAnswer.maximumBodyBytes))",
            ]
        ),
        ("subscriptions of a user that are remembered", ["\(Purchases.maximumCount)"]),
        ("a reservation's lease", ["\(Reservation.Request.maximumLeaseSeconds / 3600) h at most"]),
        (
            "ends of calls that Redis has not heard",
            [number(ReservationBook.maximumWaitingEnds), bytes(ReservationBook.maximumWaitingBytes)]
        ),
        (
            "routes |",
            [
                number(RouteTable.maximumCount), "\(Route.maximumHosts) hosts", "\(Route.maximumUpstreams) upstreams",
                "\(Route.maximumMethods) methods", "\(Route.maximumScopes) scopes", "\(Route.maximumUpgrades) upgrades",
                "\(Route.maximumHeaderRules) header rules",
            ]
        ),
        ("trusted proxies", ["\(NetworkList.maximumCount) networks"]),
        ("signing keys", [bytes(KeySetEndpoint.maximumBodyBytes)]),
        (
            "webhook's body",
            [bytes(WebhookSignature.maximumHeaderBytes), "\(WebhookSignature.maximumSignatures) signatures"]
        ),
        ("call of Stripe", times(StripeClient.timeLimits) + ["\(StripeRetryPolicy.maximumRetries) retries"]),
        (
            "call of Clerk's Backend API",
            times(ClerkBackend.timeLimits) + ["\(ClerkRetryPolicy.maximumRetries) retries"]
        ),
        ("plans |", ["\(PlanTable.maximumCount);"]),
        (
            "alerts on their way",
            [
                "\(number(RedisAlertOutbox.maximumCount)),", "\(number(RedisAlertOutbox.maximumDelivered)) that",
                "\(number(RedisAlertOutbox.maximumDead)) that", "\(RedisAlertOutbox.deliveredSeconds / 86_400) days",
                "last \(RedisAlertOutbox.deadSeconds / 86_400)",
            ]
        ),
        (
            "a try to send an alert",
            ["\(SMTPReplyReader.maximumLines) lines of \(number(SMTPReplyReader.maximumLineBytes)) bytes"]
        ),
        ("percents of a plan that are told of", ["\(AlertThresholds.maximumCount), from 1 to 100"]),
        (
            "workers told of",
            ["\(RedisFleetStore.maximumWorkers),", "\(RedisFleetStore.reportLifetimeSeconds) s after"]
        ),
        ("workers that a limit is divided by", [number(RedisFleetStore.maximumIDs)]),
        ("callers counted by a worker", [number(RedisTopUsers.maximumUsers) + " kept of a day"]),
        (
            "webhook events that wait",
            [number(RedisWebhookBacklog.maximumEvents), "\(RedisWebhookBacklog.keptSeconds / 86_400) days"]
        ),
        ("metric series", [number(PrometheusRegistry.defaultMaximumSeries)]),
        ("shutdown", ["\(Gateway.maximumShutdownSeconds) s in all"]),
    ]

    @Test(arguments: Self.expected.indices)
    func rowsSayWhatTheProgramSays(index: Int) throws {
        let (row, words) = Self.expected[index]
        let lines = try ReferencePage("Reference/Limits").text.split(separator: "\n")
        let found = lines.filter { $0.hasPrefix("| " + row) }
        #expect(found.count == 1, "\(row)")
        for word in words { #expect(found.first?.contains(word) == true, "\(row): \(word)") }
    }

    /// With commas between thousands.
    private static func number(_ value: Int) -> String {
        value < 1000 ? "\(value)" : "\(value / 1000)," + String(String(1000 + value % 1000).dropFirst())
    }

    private static func bytes(_ count: Int) -> String {
        count < 1 << 20 ? "\(count >> 10) KB" : "\(count >> 20) MB"
    }

    private static func times(_ limits: CallTimeLimits) -> [String] {
        ["| \(limits.call.components.seconds) s, each try \(limits.attempt.components.seconds) s"]
    }
}
