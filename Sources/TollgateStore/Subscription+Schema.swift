import TollgateCore

extension SubscriptionRecord {
    /// The fields of the hash `subscription:{userId}`.
    ///
    /// Without a plan it is no record. Of other fields that are missing, or that were written by hand in another form, the
    /// most cautious is assumed.
    static let schema = HashSchema(
        SubscriptionRecord.init(
            plan:status:customerID:subscriptionID:startedAt:period:endsAt:trialEnd:collectionPause:pastDueSince:
            planAfterGrace:periodAfterGrace:writtenAt:clerkUpdatedAt:revision:),
        HashRow(\.plan, "plan", .text),
        HashRow(\.status, "status", .status),
        HashRow(\.customerID, "customer", .optional(.text)),
        HashRow(\.subscriptionID, "subscription", .optional(.text)),
        HashRow(\.startedAt, "startedAt", .optional(.moment)),
        HashRow(\.period, Span.schema.optional),
        HashRow(\.endsAt, "endsAt", .optional(.moment)),
        HashRow(\.trialEnd, "trialEnd", .optional(.moment)),
        HashRow(\.collectionPause, "collectionPausedUntil", .optional(.pause)),
        HashRow(\.pastDueSince, "pastDueSince", .optional(.moment)),
        HashRow(\.planAfterGrace, "planAfterGrace", .optional(.text)),
        HashRow(\.periodAfterGrace, Span.schemaAfterGrace.optional),
        HashRow(\.writtenAt, "writtenAt", .orElse(.longAgo, .moment)),
        HashRow(\.clerkUpdatedAt, "clerkUpdatedAt", .optional(.moment)),
        HashRow(\.revision, "revision", .orElse(0, .revision)))

    /// `FIELDS`, which `write_purchases.lua` writes: all of the hash but the revision, which it counts itself.
    static let luaFields =
        "local FIELDS = { "
        + schema.names.filter { $0 != "revision" }.map { "'\($0)'" }.joined(separator: ", ") + " }\n"
}

extension Subscription {
    /// The words of a subscription in `subscriptions:{userId}`, where each is one field: `status=active plan=pro …`.
    static func schema(id: String) -> HashSchema<Subscription> {
        HashSchema(
            Subscription.init(
                id:customerID:status:plan:priceIDs:firstPriceIDs:soldAs:startedAt:period:endsAt:trialEnd:
                collectionPause:pastDueSince:paymentReturnedAt:seenAt:),
            // The name of the field.
            HashRow(\.id, known: id),
            HashRow(\.customerID, "customer", .optional(.text)),
            HashRow(\.status, "status", .certainStatus),
            HashRow(\.plan, "plan", .optional(.text)),
            HashRow(\.priceIDs, "prices", .list),
            HashRow(\.firstPriceIDs, "firstPrices", .list),
            HashRow(\.soldAs, "soldAs", .optional(.text)),
            HashRow(\.startedAt, "startedAt", .optional(.moment)),
            HashRow(\.period, Span.schema.optional),
            HashRow(\.endsAt, "endsAt", .optional(.moment)),
            HashRow(\.trialEnd, "trialEnd", .optional(.moment)),
            HashRow(\.collectionPause, "collectionPausedUntil", .optional(.pause)),
            HashRow(\.pastDueSince, "pastDueSince", .optional(.moment)),
            HashRow(\.paymentReturnedAt, "paymentReturnedAt", .optional(.moment)),
            HashRow(\.seenAt, "seenAt", .orElse(.longAgo, .milliseconds)))
    }
}

extension Purchases {
    /// The field of `subscriptions:{userId}` with the plan that an operator has given, while a better one is bought.
    private static let byHandField = "byHand"

    /// The field with the user's own customer, which is none of the purchases.
    static let ownCustomerField = "customer"

    /// Field, value, field, value, … of the hash `subscriptions:{userId}`.
    ///
    /// - Parameter record: What stands beside it: a plan that was given by hand, and counts, is not written twice.
    ///   Nil leaves out the plan by hand.
    func fields(beside record: SubscriptionRecord?) -> [String] {
        var list = subscriptions.values.sorted { $0.id < $1.id }.flatMap { subscription in
            [subscription.id, Words.text(Subscription.schema(id: subscription.id).fields(of: subscription))]
        }
        if let byHand, let record, !record.isByHand {
            list += [Self.byHandField, Words.text(SubscriptionRecord.schema.fields(of: byHand))]
        }
        return list
    }

    /// What stands in the hash. A field that cannot be read is none.
    ///
    /// - Parameter record: What stands beside it. A plan by hand ends with the record, which an operator deletes or gives
    ///   an end. A record that an earlier version has written stands for the subscription that it is about.
    init(fields: [String: String], beside record: SubscriptionRecord?) {
        var subscriptions = fields.compactMap { id, text in
            [Self.byHandField, Self.ownCustomerField].contains(id)
                ? nil : Subscription.schema(id: id).value(in: Words.fields(text))
        }
        if let known = record?.subscription, !subscriptions.contains(where: { $0.id == known.id }) {
            subscriptions.append(known)
        }
        let kept = fields[Self.byHandField].flatMap { SubscriptionRecord.schema.value(in: Words.fields($0)) }
        self.init(subscriptions: subscriptions, byHand: record.flatMap { $0.given(beside: subscriptions) ?? kept })
    }
}

extension SubscriptionRecord {
    /// The plan that was given by hand: with a record of its own, or over the record of a subscription, which says
    /// something else. Nil when there is none.
    fileprivate func given(beside subscriptions: [Subscription]) -> SubscriptionRecord? {
        guard let subscriptionID else { return self }
        guard status.isLive, let known = subscriptions.first(where: { $0.id == subscriptionID }),
            known.status != status || known.plan ?? PlanTable.fallbackName != plan
        else { return nil }
        return SubscriptionRecord(
            plan: plan, status: status, customerID: customerID, pastDueSince: pastDueSince, writtenAt: writtenAt)
    }

    /// The subscription that it is about, as far as it tells. Nil for one that was given by hand.
    fileprivate var subscription: Subscription? {
        subscriptionID.map {
            Subscription(
                id: $0, customerID: customerID, status: status, plan: plan, startedAt: startedAt, period: period,
                endsAt: endsAt, trialEnd: trialEnd, collectionPause: collectionPause, pastDueSince: pastDueSince,
                seenAt: .longAgo)
        }
    }
}

/// Several values in one text, readable by a person: `status=active plan=pro`. No value has a blank in it.
private enum Words {
    static func text(_ fields: [String]) -> String {
        stride(from: 0, to: fields.count, by: 2).compactMap { place in
            let value = fields[place + 1]
            return value.contains(where: \.isWhitespace) ? nil : "\(fields[place])=\(value)"
        }.joined(separator: " ")
    }

    static func fields(_ text: String) -> [String: String] {
        let pairs = text.split(separator: " ").compactMap { word -> (String, String)? in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        return Dictionary(pairs) { $1 }
    }
}

private enum Span {
    static let schema = schema(suffix: "")
    static let schemaAfterGrace = schema(suffix: "AfterGrace")

    private static func schema(suffix: String) -> HashSchema<SubscriptionPeriod> {
        HashSchema(
            SubscriptionPeriod.init(start:end:anchor:),
            HashRow(\.start, "periodStart" + suffix, .moment),
            HashRow(\.end, "periodEnd" + suffix, .moment),
            HashRow(\.anchor, "periodAnchor" + suffix, .optional(.moment)))
    }
}

extension FieldCoding where Value == SubscriptionStatus {
    /// A record without one grants nothing.
    fileprivate static let status = FieldCoding(write: { $0.name }, read: { SubscriptionStatus($0 ?? "") })

    /// It has to be there.
    fileprivate static let certainStatus = FieldCoding(write: { $0.name }, read: { $0.map { SubscriptionStatus($0) } })
}

extension FieldCoding where Value == [String] {
    fileprivate static let list = FieldCoding(
        write: { $0.isEmpty ? nil : $0.joined(separator: ",") },
        read: { text in (text ?? "").split(separator: ",").map(String.init) })
}

extension FieldCoding where Value == Int64 {
    /// As `write_purchases.lua` reads it.
    fileprivate static let revision = FieldCoding(
        write: { "\($0)" },
        read: { text in
            text.flatMap { text in
                text.utf8.count <= 15 && text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
                    ? Int64(text) : nil
            }
        })
}

extension FieldCoding where Value == Subscription.CollectionPause {
    fileprivate static let pause = FieldCoding(
        write: { pause in
            switch pause {
            case .untilFurtherNotice: "further-notice"
            case .until(let moment): moment.iso8601
            }
        },
        read: { text in text.map { UnixTime(iso8601: $0).map { .until($0) } ?? .untilFurtherNotice } })
}

extension FieldCoding where Value == UnixTime {
    /// Since 1970, for what is compared more finely than by the second.
    fileprivate static let milliseconds = FieldCoding(
        write: { "\($0.milliseconds)" }, read: { text in text.flatMap { Int64($0) }.map { UnixTime(milliseconds: $0) } }
    )
}
