import Hiredis
import Testing
import TollgateCore

@testable import TollgateStore

/// What stands in Redis of a record, by the rows of its schema.
@Suite struct HashSchemaTests {
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func record() throws -> KeyRecord {
        KeyRecord(
            id: try #require(KeyID("key_0123456789abcdef")),
            terms: KeyTerms(
                name: "ci", mode: .test, scopes: [try #require(KeyScope("read")), try #require(KeyScope("write"))],
                expiresAt: time.adding(seconds: 60), allowedIPs: NetworkList(["10.0.0.0/8", "2001:db8::1"])),
            status: .revoked, createdAt: time,
            hash: try #require(KeyHash(hex: String(repeating: "a", count: 64))), lastUsedAt: time.adding(seconds: 1),
            previous: KeyRecord.Previous(
                hash: try #require(KeyHash(hex: String(repeating: "b", count: 64))), until: time.adding(seconds: 2),
                lastUsedAt: time.adding(seconds: 3)))
    }

    private static let year = SubscriptionPeriod(
        start: time.adding(seconds: 1), end: time.adding(seconds: 365 * 86_400), anchor: time)

    private static let subscription = SubscriptionRecord(
        plan: "paid", status: .pastDue, customerID: "cus_1", subscriptionID: "sub_1", startedAt: time,
        period: year, endsAt: time.adding(seconds: 3), trialEnd: time.adding(seconds: 7),
        collectionPause: .until(time.adding(seconds: 8)), pastDueSince: time.adding(seconds: 4),
        planAfterGrace: "basic", periodAfterGrace: year, writtenAt: time.adding(seconds: 5),
        clerkUpdatedAt: time.adding(seconds: 6),
        revision: 9)

    private static let bought = Subscription(
        id: "sub_1", customerID: "cus_1", status: .pastDue, plan: "paid", priceIDs: ["price_1", "price_2"],
        firstPriceIDs: ["price_1"], soldAs: "paid", startedAt: time,
        period: year, endsAt: time.adding(seconds: 3), trialEnd: time.adding(seconds: 7),
        collectionPause: .until(time.adding(seconds: 8)), pastDueSince: time.adding(seconds: 4),
        paymentReturnedAt: time.adding(seconds: 9),
        seenAt: UnixTime(milliseconds: time.milliseconds + 123))

    private static let report = WorkerReport(
        identity: WorkerIdentity(id: "1f", version: "1.0", host: "h", processID: 7, startedAt: time),
        seenAt: time.adding(seconds: 9), address: "0.0.0.0:8080",
        traffic: WorkerTraffic(requestsPerSecond: 1.5, admitted: 3, refused: ["a": 1, "b": 2]), isDraining: true)

    private func fields(_ list: [String]) -> [String: String] {
        list.map { RedisReply.bytes(Array($0.utf8)) }.hashFields ?? [:]
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let record = try Self.record()
        let schema = KeyRecord.schema(of: record.id)
        #expect(schema.value(in: fields(schema.fields(of: record))) == record)
        let written = SubscriptionRecord.schema.fields(of: Self.subscription)
        #expect(SubscriptionRecord.schema.value(in: fields(written)) == Self.subscription)
        let bought = Subscription.schema(id: "sub_1")
        #expect(bought.value(in: fields(bought.fields(of: Self.bought))) == Self.bought)
        let report = WorkerReport.schema.fields(of: Self.report)
        #expect(WorkerReport.schema.value(in: fields(report)) == Self.report)
    }

    /// In a record in which everything is said, every name of the schema has its field.
    @Test func everyFieldIsWritten() throws {
        func names(_ list: [String]) -> [String] { stride(from: 0, to: list.count, by: 2).map { list[$0] } }
        let record = try Self.record()
        let schema = KeyRecord.schema(of: record.id)
        #expect(names(schema.fields(of: record)) == schema.names)
        #expect(names(SubscriptionRecord.schema.fields(of: Self.subscription)) == SubscriptionRecord.schema.names)
        let bought = Subscription.schema(id: "sub_1")
        #expect(names(bought.fields(of: Self.bought)) == bought.names)
        #expect(names(WorkerReport.schema.fields(of: Self.report)) == WorkerReport.schema.names)
    }

    @Test func whatIsNotSaidIsAbsent() throws {
        let bought = Subscription(id: "sub_1", status: .active, seenAt: Self.time)
        #expect(
            fields(Subscription.schema(id: "sub_1").fields(of: bought)) == [
                "status": "active", "seenAt": "\(Self.time.milliseconds)",
            ])
    }

    /// What each of the fields becomes when it is missing, and when no reader knows its form.
    @Test func missingAndUnreadableFieldsOfAKey() throws {
        let record = try Self.record()
        let schema = KeyRecord.schema(of: record.id)
        let whole = fields(schema.fields(of: record))
        let longAgo = UnixTime(seconds: 0)
        for name in schema.names {
            let without = schema.value(in: whole.filter { $0.key != name })
            let unreadable = schema.value(in: whole.merging([name: "?"]) { $1 })
            switch name {
            case "mode", "status", "hash": #expect(without == nil && unreadable == nil, "\(name)")
            case "createdAt": #expect(without == nil && unreadable?.createdAt == longAgo)
            case "name": #expect(without?.terms.name == "" && unreadable?.terms.name == "?")
            case "scopes": #expect(without?.terms.scopes == [] && unreadable?.terms.scopes == [])
            case "allowedIPs":
                #expect(without != nil && without?.terms.allowedIPs == nil && unreadable?.terms.allowedIPs == .empty)
            case "expiresAt":
                #expect(without != nil && without?.terms.expiresAt == nil && unreadable?.terms.expiresAt == longAgo)
            case "lastUsedAt":
                #expect(without != nil && without?.lastUsedAt == nil)
                #expect(unreadable != nil && unreadable?.lastUsedAt == nil)
            case "previousHash":
                #expect(without != nil && without?.previous == nil)
                #expect(unreadable != nil && unreadable?.previous == nil)
            case "previousUntil":
                #expect(without?.previous?.until == longAgo && unreadable?.previous?.until == longAgo)
            case "previousUsedAt":
                #expect(without?.previous != nil && without?.previous?.lastUsedAt == nil)
                #expect(unreadable?.previous != nil && unreadable?.previous?.lastUsedAt == nil)
            default: Issue.record("say what becomes of \(name)")
            }
        }
    }

    /// Of what a subscription was bought for, and of what cannot be read, the most cautious is assumed.
    @Test func missingAndUnreadableFieldsOfASubscription() throws {
        let schema = Subscription.schema(id: "sub_1")
        let whole = fields(schema.fields(of: Self.bought))
        #expect(schema.value(in: whole.filter { $0.key != "status" }) == nil)
        for name in schema.names where name != "status" {
            let without = try #require(schema.value(in: whole.filter { $0.key != name }), "\(name)")
            let unreadable = try #require(schema.value(in: whole.merging([name: "?"]) { $1 }), "\(name)")
            #expect(without != Self.bought && unreadable != Self.bought, "\(name)")
            switch name {
            case "seenAt": #expect(without.seenAt == UnixTime(seconds: 0) && unreadable.seenAt == UnixTime(seconds: 0))
            case "collectionPausedUntil":
                #expect(without.collectionPause == nil && unreadable.collectionPause == .untilFurtherNotice)
            case "paymentReturnedAt":
                #expect(without.paymentReturnedAt == nil && unreadable.paymentReturnedAt == nil)
            case "pastDueSince": #expect(without.pastDueSince == nil && unreadable.pastDueSince == nil)
            case "periodAnchor": #expect(without.period?.anchor == nil && unreadable.period?.end == Self.year.end)
            case "periodStart", "periodEnd": #expect(without.period == nil && unreadable.period == nil)
            case "customer", "plan", "prices", "firstPrices", "soldAs", "startedAt", "endsAt", "trialEnd": break
            default: Issue.record("say what becomes of \(name)")
            }
        }
    }

    /// The reference of Redis keys names the fields in the order in which they are written.
    @Test func theReferenceNamesTheFields() throws {
        let schemas: [(RedisKey.Pattern, [String])] = [
            (.key, KeyRecord.schema(of: try Self.record().id).names), (.subscription, SubscriptionRecord.schema.names),
            (.worker, WorkerReport.schema.names),
        ]
        for (pattern, names) in schemas {
            let listed = pattern.markdownRow.split(separator: "`")[3]
            #expect(listed.split(separator: " ").map(String.init) == names, "\(pattern)")
        }
    }
}
