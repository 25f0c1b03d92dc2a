import Hiredis
import TollgateCore

/// The fields of the hash `subscription:{userId}`. Moments are ISO 8601 in UTC.
struct SubscriptionFields {
    private var values: [String: String] = [:]

    /// What `update` says. A field that it says nothing of is absent.
    init(_ update: SubscriptionUpdate) {
        values["plan"] = update.plan
        values["status"] = update.status.name
        values["customer"] = update.customerID
        values["subscription"] = update.subscriptionID
        values["startedAt"] = update.startedAt?.iso8601
        values["periodStart"] = update.period?.start.iso8601
        values["periodEnd"] = update.period?.end.iso8601
        values["eventTime"] = update.eventTime.iso8601
        values["eventId"] = update.eventID
        values["endedRival"] = update.endedRivalID
    }

    /// Reads what HGETALL gives: field, value, field, value. Nil when it is something else.
    init?(reply: some Collection<RedisReply>) {
        let texts = reply.compactMap { $0.string }
        guard texts.count == reply.count, texts.count.isMultiple(of: 2) else { return nil }
        for index in stride(from: 0, to: texts.count, by: 2) { values[texts[index]] = texts[index + 1] }
    }

    /// Field, value, field, value.
    var arguments: [String] { values.flatMap { [$0.key, $0.value] } }

    subscript(name: String) -> String? { values[name] }

    func time(_ name: String) -> UnixTime? { values[name].flatMap { UnixTime(iso8601: $0) } }
}

extension SubscriptionRecord {
    /// The record that a hash holds. Nil without a plan. Of other fields that are missing, or that somebody has written
    /// by hand in another form, the most cautious is assumed.
    init?(_ fields: SubscriptionFields) {
        guard let plan = fields["plan"] else { return nil }
        let longAgo = UnixTime(seconds: 0)
        var period: SubscriptionPeriod?
        if let start = fields.time("periodStart"), let end = fields.time("periodEnd") {
            period = SubscriptionPeriod(start: start, end: end)
        }
        self.init(
            plan: plan, status: SubscriptionStatus(fields["status"] ?? ""), customerID: fields["customer"],
            subscriptionID: fields["subscription"], startedAt: fields.time("startedAt"), period: period,
            eventTime: fields.time("eventTime") ?? longAgo, eventID: fields["eventId"] ?? "",
            pastDueSince: fields.time("pastDueSince"), writtenAt: fields.time("writtenAt") ?? longAgo,
            clerkUpdatedAt: fields.time("clerkUpdatedAt"))
    }
}
