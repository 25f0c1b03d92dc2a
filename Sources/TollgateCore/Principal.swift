/// Who a request was authenticated as, by what, and what that says of their plan.
package struct Principal: Sendable, Hashable {
    package let userID: UserID

    /// The plan that the credential claims, not yet compared with the plan table. Nil when it claims none.
    package let claimedPlan: String?

    /// When the credential was issued. Nil when it does not say.
    package let issuedAt: UnixTime?

    /// What the caller presented.
    package let credential: Credential

    package init(
        userID: UserID, claimedPlan: String? = nil, issuedAt: UnixTime? = nil, credential: Credential = .token
    ) {
        self.userID = userID
        self.claimedPlan = claimedPlan
        self.issuedAt = issuedAt
        self.credential = credential
    }
}
