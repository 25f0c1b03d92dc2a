import Hiredis
package import RedisClient
package import TollgateCore

/// What operators have decided of users, in the records that admissions read.
package struct RedisOperatorStore: Sendable {
    private static let changeScript = NamedScript<ChangeOperatorTermsSignature>(
        "change_operator_terms.lua", resource: PackageResources.change_operator_terms_lua)

    /// Times that a change is made anew because another operator has made one meanwhile.
    private static let maximumAttempts = 16

    static let field = "operator"

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func terms(of user: UserID) async throws(StoreUnavailable) -> OperatorTerms {
        OperatorTerms(words: String(decoding: try await bytes(of: user), as: UTF8.self))
    }

    /// Applies `change`, as often as another operator comes in between.
    ///
    /// - Parameter change: Throws to leave all as it is.
    /// - Returns: How it was and is.
    /// - Throws: What `change` throws, and a `StoreUnavailable`.
    package func change(
        _ user: UserID, _ change: (inout OperatorTerms) throws -> Void
    ) async throws -> (before: OperatorTerms, after: OperatorTerms) {
        for _ in 0..<Self.maximumAttempts {
            let known = try await bytes(of: user)
            let before = OperatorTerms(words: String(decoding: known, as: UTF8.self))
            var terms = before
            try change(&terms)
            let after = terms
            let reply = try await client.ask(
                Self.changeScript.call(upTo: .terms) { _ in
                    .subscription(user)
                } with: { argument in
                    switch argument {
                    case .known: .bytes(known)
                    case .terms: .text(after.words)
                    }
                })
            guard let outcome = Self.changeScript.outcome(of: reply) else { throw Self.changeScript.unexpectedReply() }
            if outcome == .written { return (before, after) }
        }
        throw StoreUnavailable(.unreachable, reason: "other operators changed the same user all the while")
    }

    /// As they stand there: people may have written what is no UTF-8, and admissions read it all the same.
    private func bytes(of user: UserID) async throws(StoreUnavailable) -> [UInt8] {
        switch try await client.ask(RedisCommand("HGET", .subscription(user), Self.field)) {
        case .bytes(let bytes): bytes
        default: []
        }
    }
}

extension Collection<RedisReply> {
    /// What operators have decided, in what `HGETALL` tells of a record. Empty for nothing.
    var operatorWords: String {
        var name: String?
        for element in self {
            if name == RedisOperatorStore.field, case .bytes(let bytes) = element {
                return String(decoding: bytes, as: UTF8.self)
            }
            name = name == nil ? element.string ?? "" : nil
        }
        return ""
    }
}

private enum ChangeOperatorTermsSignature: ScriptSignature {
    enum Key: String, ScriptName { case subscription }

    enum Argument: String, ScriptName {
        /// The text that was read.
        case known

        case terms
    }

    enum Outcome: String, ScriptName { case changedSince, written }
}
