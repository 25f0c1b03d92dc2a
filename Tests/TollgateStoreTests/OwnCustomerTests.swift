import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// The user's own customer, which stands beside what the user has bought.
@Suite struct OwnCustomerTests {
    private func withStore(_ body: (RedisSubscriptionStore, RedisClient, UserID) async throws -> Void) async throws {
        let user = try #require(UserID("user_1"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisSubscriptionStore(client: client), client, user)
            }
        }
    }

    @Test func theFirstIsKept() async throws {
        try await withStore { store, client, user in
            let before = try await store.purchases(of: user)
            #expect(before.ownCustomerID == nil)
            let first = try await store.recordOwnCustomer("cus_1", of: user, replacing: nil)
            let second = try await store.recordOwnCustomer("cus_2", of: user, replacing: nil)
            let stale = try await store.recordOwnCustomer("cus_2", of: user, replacing: "cus_0")
            #expect([first, second, stale] == ["cus_1", "cus_1", "cus_1"])
            let known = try await store.purchases(of: user)
            #expect(known.ownCustomerID == "cus_1")
            #expect(known.purchases.subscriptions.isEmpty && known.record == nil, "it is no purchase")
            let text = try await client.send("HGET subscriptions:{user_1} customer").string
            #expect(text == "cus_1")
            let replaced = try await store.recordOwnCustomer("cus_2", of: user, replacing: "cus_1")
            #expect(replaced == "cus_2")
        }
    }

    @Test func purchasesLeaveItAsItIs() async throws {
        try await withStore { store, _, user in
            let time = UnixTime(seconds: 1_764_198_000)
            let known = try await store.purchases(of: user)
            _ = try await store.recordOwnCustomer("cus_1", of: user, replacing: nil)
            for status in [SubscriptionStatus.active, .canceled] {
                let current = status == .active ? known : try await store.purchases(of: user)
                var purchases = current.purchases
                purchases.take(
                    Subscription(id: "sub_1", customerID: "cus_2", status: status, plan: "paid", seenAt: time),
                    plans: .standard)
                let record = purchases.record(
                    replacing: current.record, at: time, plans: .standard, pastDueGraceSeconds: 0)
                #expect(try await store.write(purchases, record, of: user, over: current))
                let after = try await store.purchases(of: user)
                #expect(after.ownCustomerID == "cus_1")
                #expect(after.purchases.subscriptions.keys.sorted() == ["sub_1"])
            }
        }
    }
}
