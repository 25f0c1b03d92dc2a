/// The authenticated caller of a request: a user, the credential, and what that says of their plan.
///
/// A class, because it is handed on several times in each request, and remembered: copies would copy its texts.
package final class Principal: Sendable {
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

extension Principal: Equatable {
    package static func == (left: Principal, right: Principal) -> Bool {
        left.userID == right.userID && left.claimedPlan == right.claimedPlan && left.issuedAt == right.issuedAt
            && left.credential == right.credential
    }
}
