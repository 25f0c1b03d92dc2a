import HTTPTypes
import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What would become of a call with a credential, and why. The text of one is a secret, so it is in the body.
struct CredentialOperations: Sendable {
    let authenticator: any TokenAuthenticator
    let platformKeys: any PlatformKeyDirectory
    let admissions: any AdmissionStore
    let calls: TriedCalls

    var endpoints: [OperatorEndpoint] {
        [
            .init(.post, "keys/explain", .viewer, explainKey),
            .init(.post, "sessions/explain", .viewer, explainSession),
        ]
    }

    @Sendable private func explainKey(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(
            known: ["key"] + TriedCalls.memberNames,
            example: #"{"key": "sk_live_…", "scopes": ["read"], "from": "203.0.113.7"}"#)
        guard let text = try members.string("key", example: "sk_live_…").map(Self.credential) else {
            throw APIError.badRequest("'key' is missing: the whole text of a key.")
        }
        let call = try calls.call(members)
        guard KeyID(text) == nil else {
            throw APIError.badRequest("'key' takes the whole text of a key: by its id nothing can be tried.")
        }
        guard !text.hasPrefix("eyJ") else {
            throw APIError.badRequest("That is a session token: ask sessions/explain (tollgate sessions explain).")
        }
        if let key = PlatformKey(text) {
            guard let principal = try await platformKeys.principal(for: key) else { throw KeyOperations.notFound }
            return try await answer(principal, .key(.platform(key)), call, request)
        }
        do {
            let key = try APIKey(text)
            return try await answer(Principal(key), .key(.secret(key)), call, request)
        } catch let problem as APIKey.Problem {
            return Self.answer(NextCall(problem), to: nil)
        }
    }

    @Sendable private func explainSession(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(
            known: ["token"] + TriedCalls.memberNames, example: #"{"token": "eyJ…", "route": "orders"}"#)
        guard let text = try members.string("token", example: "eyJ…").map(Self.credential) else {
            throw APIError.badRequest("'token' is missing: a session token, as the caller sends it after Bearer.")
        }
        guard (try? APIKey(text)) == nil, PlatformKey(text) == nil else {
            throw APIError.badRequest("That is an API key: ask keys/explain (tollgate keys explain).")
        }
        let call = try calls.call(members)
        do {
            return try await answer(
                try await authenticator.authenticate(token: text), .token(text), call, request)
        } catch let failure as AuthenticationFailure {
            return Self.answer(NextCall(.authentication(failure)), to: nil)
        }
    }

    /// Without what may have been copied along.
    private static func credential(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace)
        return words.count == 2 && ["bearer", "x-api-key:"].contains(words[0].lowercased())
            ? String(words[1]) : words.joined(separator: " ")
    }

    private func answer(
        _ principal: Principal, _ presented: PresentedCredential, _ call: TriedCall, _ request: OperatorRequest
    ) async throws(StoreUnavailable) -> OperatorAnswer {
        Self.answer(
            try await call.outcome(of: principal, presenting: presented, in: admissions, at: request.time),
            to: principal)
    }

    private static func answer(_ nextCall: NextCall, to principal: Principal?) -> OperatorAnswer {
        OperatorAnswer([
            "userId": .text(principal?.userID.value), "keyId": .text(principal?.credential.keyID?.value),
            "claimedPlan": .text(principal?.claimedPlan), "nextCall": nextCall.json,
        ])
    }
}
