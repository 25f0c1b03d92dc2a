import TollgateCore

/// What the record of a subscription and an update of it have in common: the fields of the hash `subscription:{userId}`.
private enum Field {
    static let plan = HashSchema("plan", .text)
    static let status = HashSchema("status", .status)
    static let customer = HashSchema("customer", .text)
    static let subscription = HashSchema("subscription", .text)
    static let startedAt = HashSchema("startedAt", .moment)
    static let period = HashSchema(
        SubscriptionPeriod.init(start:end:),
        HashRow(\.start, "periodStart", .moment),
        HashRow(\.end, "periodEnd", .moment))
    static let eventTime = HashSchema("eventTime", .orElse(.longAgo, .moment))
    static let eventID = HashSchema("eventId", .orElse("", .text))
}

extension SubscriptionRecord {
    /// Without a plan it is no record. Of other fields that are missing, or that were written by hand in another form, the
    /// most cautious is assumed.
    static let schema = HashSchema(
        SubscriptionRecord.init(
            plan:status:customerID:subscriptionID:startedAt:period:eventTime:eventID:pastDueSince:writtenAt:
            clerkUpdatedAt:),
        HashRow(\.plan, Field.plan),
        HashRow(\.status, Field.status),
        HashRow(\.customerID, Field.customer.optional),
        HashRow(\.subscriptionID, Field.subscription.optional),
        HashRow(\.startedAt, Field.startedAt.optional),
        HashRow(\.period, Field.period.optional),
        HashRow(\.eventTime, Field.eventTime),
        HashRow(\.eventID, Field.eventID),
        HashRow(\.pastDueSince, "pastDueSince", .optional(.moment)),
        HashRow(\.writtenAt, "writtenAt", .orElse(.longAgo, .moment)),
        HashRow(\.clerkUpdatedAt, "clerkUpdatedAt", .optional(.moment)))

    /// `FIELDS`, which `apply_subscription.lua` writes: all of the hash.
    static let luaFields = "local FIELDS = { " + schema.names.map { "'\($0)'" }.joined(separator: ", ") + " }\n"
}

extension SubscriptionUpdate {
    /// What the script is told of the update: the fields of the record, and of a rival. A field that the update says nothing
    /// of is absent.
    var fields: [String] {
        HashSchema(
            SubscriptionUpdate.init(
                userID:plan:status:customerID:subscriptionID:startedAt:period:eventTime:eventID:isAuthoritative:
                endedRivalID:),
            // In the name of the key.
            HashRow(\.userID, known: userID),
            HashRow(\.plan, Field.plan.optional),
            HashRow(\.status, Field.status),
            HashRow(\.customerID, Field.customer.optional),
            HashRow(\.subscriptionID, Field.subscription.optional),
            HashRow(\.startedAt, Field.startedAt.optional),
            HashRow(\.period, Field.period.optional),
            HashRow(\.eventTime, Field.eventTime),
            HashRow(\.eventID, Field.eventID),
            // An argument of its own.
            HashRow(\.isAuthoritative, known: isAuthoritative),
            HashRow(\.endedRivalID, "endedRival", .optional(.text))
        ).fields(of: self)
    }
}

extension FieldCoding where Value == SubscriptionStatus {
    fileprivate static let status = FieldCoding(write: { $0.name }, read: { SubscriptionStatus($0 ?? "") })
}
