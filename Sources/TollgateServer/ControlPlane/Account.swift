import TollgateCore

/// What is known of a customer, beside where their limits stand.
struct Account: Sendable {
    let bought: KnownPurchases
    let credentials: Credentials?
    let keys: [KeyRecord]
    let days: [UsageDay]
}

/// Where it is known from.
struct AccountStores: Sendable {
    let subscriptions: any SubscriptionStore
    let credentials: any CredentialStore
    let keys: any KeyStore
    let history: any UsageHistory

    /// All of it, asked for at once.
    func account(of user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> Account {
        async let bought = subscriptions.purchases(of: user)
        async let credentials = credentials.stored(for: user)
        async let keys = keys.keys(of: user)
        async let days = history.days(
            AccountEndpoint.historyDays, until: CalendarDay(containing: time), of: user)
        do {
            return Account(
                bought: try await bought, credentials: try await credentials, keys: try await keys,
                days: try await days)
        } catch let error as StoreUnavailable {
            throw error
        } catch {
            throw StoreUnavailable(origin: error)
        }
    }
}
