import TestSupport
import Testing
import TollgateCore
import TollgateStore

@testable import TollgateDataPlane

/// Whom a request's credential names, and when it is refused without verification.
@Suite struct CredentialFlowTests {
    private static let platformKey = "pk_live_" + String(repeating: "0f", count: 32)

    private static func mistyped(_ key: String) -> String {
        let place = key.index(key.endIndex, offsetBy: -10)
        return key[..<place] + (key[place] == "0" ? "1" : "0") + key[key.index(after: place)...]
    }

    @Test func whatIsPresentedIsReadOrRefused() throws {
        let fixture = try AdmissionFixture()
        let key = try fixture.key()
        let ticket = try #require(Ticket(owner: fixture.user, secret: [UInt8](repeating: 1, count: 20))).text[...]
        let rows: [(Presented, String)] = [
            (.nothing, "401 session-token-missing"), (.token, "verify session token"),
            (.key(key.text), "ask"), (.key("sk_live_0"), "401 key-malformed"),
            (.key(Self.mistyped(key.text)), "401 key-checksum-mismatch"),
            (.key(Self.platformKey), "verify pk_live_…"),
            (Presented(authorization: ["Bearer a", "Bearer b"]), "400 duplicate-authorization"),
            (Presented(apiKey: ["a", "b"]), "400 duplicate-authorization"),
            (Presented(tickets: [ticket]), "redeem"), (Presented(tickets: ["tkt_0"]), "401 ticket-unknown"),
            (Presented(tickets: [ticket, ticket]), "400 duplicate-authorization"),
            (Presented(apiKey: ["a", "b"], tickets: [ticket]), "redeem"),
            (Presented(offeredCredentials: ["a.b.c"]), "verify session token"),
            (Presented(apiKey: ["a", "b"], offeredCredentials: [key.text]), "ask"),
            (Presented(offeredCredentials: ["a", "b"]), "400 duplicate-authorization"),
            (Presented(offeredCredentials: ["sk_live_0"]), "401 key-malformed"),
        ]
        for (presented, expected) in rows {
            var flow = fixture.flow()
            #expect(flow.after(.begins(presented), from: fixture.network) == expected, "\(presented)")
        }
        #expect(fixture.failures("session-token-missing") == 1)
        #expect(fixture.failures("key-malformed") == 2)
        #expect(fixture.failures("ticket-unknown") == 1)
    }

    @Test func aRouteSaysWhichKindItTakes() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        let rows: [(Route.Authentication, Presented, String)] = [
            (.any, .token, "verify session token"), (.any, key, "ask"),
            (.jwt, .token, "verify session token"), (.jwt, key, "401 credential-not-accepted"),
            (.key, .token, "401 credential-not-accepted"), (.key, key, "ask"),
            (.none, .nothing, "admit"), (.none, .token, "admit"), (.none, key, "admit"),
        ]
        for (authentication, presented, expected) in rows {
            var flow = try fixture.flow { $0.authentication = authentication }
            #expect(flow.after(.begins(presented), from: fixture.network) == expected, "\(authentication)")
        }
    }

    /// What a ticket stands for is looked at as what is presented itself.
    @Test func aTicketStandsForItsCredential() throws {
        let fixture = try AdmissionFixture()
        let keyed = Principal(try fixture.key())
        let ticket = try #require(Ticket(owner: fixture.user, secret: [UInt8](repeating: 1, count: 20))).text[...]
        let rows: [(Route.Authentication, Result<Principal?, StoreUnavailable>, String)] = [
            (.any, .success(fixture.token()), "ask"), (.any, .success(keyed), "ask"),
            (.any, .success(nil), "401 ticket-unknown"), (.any, .failure(.away), "503 service-unavailable"),
            (.jwt, .success(keyed), "401 credential-not-accepted"),
            (.key, .success(fixture.token()), "401 credential-not-accepted"),
        ]
        for (authentication, found, expected) in rows {
            var flow = try fixture.flow { $0.authentication = authentication }
            fixture.tell([(.begins(Presented(tickets: [ticket])), "redeem"), (.redeemed(found), expected)], to: &flow)
            #expect(flow.isOutsideFields)
        }
    }

    @Test func everyFailureOfATokenIsItsRefusal() throws {
        let fixture = try AdmissionFixture()
        for reason in AuthenticationFailure.Reason.allCases {
            var flow = fixture.flow()
            let status = reason == .keysUnavailable ? 503 : 401
            fixture.tell(
                [
                    (.begins(.token), "verify session token"),
                    (.verified(.failure(.token(.init(reason, "test")))), "\(status) \(reason.rawValue)"),
                ], to: &flow)
            #expect(fixture.failures(reason.rawValue) == 1)
        }
        var unknown = fixture.flow()
        fixture.tell(
            [
                (.begins(.key(Self.platformKey)), "verify pk_live_…"),
                (.verified(.failure(.unknownKey)), "401 key-unknown"),
            ], to: &unknown)
        var away = fixture.flow()
        fixture.tell(
            [
                (.begins(.key(Self.platformKey)), "verify pk_live_…"),
                (.verified(.failure(.store(.away))), "503 service-unavailable"),
            ], to: &away)
        #expect(fixture.count(of: "tollgate_store_unavailable_total") == 1)
    }

    @Test func aTokenThatIsRememberedNeedsNoVerification() throws {
        let user = try #require(UserID("user_abc"))
        let fixture = try AdmissionFixture(tokens: [
            "remembered.a": .success(Principal(userID: user)),
            "remembered.b": .failure(AuthenticationFailure(.tokenExpired, "test")),
        ])
        for (token, expected) in [("remembered.a", "ask"), ("remembered.b", "401 token-expired")] {
            var flow = fixture.flow()
            let presented = Presented(authorization: ["Bearer \(token)"])
            #expect(flow.after(.begins(presented), from: fixture.network) == expected)
        }
    }

    // MARK: The time

    /// As long as Redis has not told its time, nothing is decided by it but where calls pass without Redis.
    @Test func anUnknownTimeDecidesNothing() throws {
        let fixture = try AdmissionFixture()
        var closed = fixture.flow()
        let refused = closed.after(.begins(.nothing), isTimeKnown: false, from: fixture.network)
        #expect(refused == "503 service-unavailable", "before anything is looked at")
        var open = try fixture.flow { $0.onRedisDown = .open }
        #expect(open.after(.begins(.token), isTimeKnown: false, from: fixture.network) == "verify session token")
        let reasons: [(AuthenticationFailure.Reason, String)] = [
            (.tokenExpired, "503 service-unavailable"), (.tokenNotActiveYet, "503 service-unavailable"),
            (.issuedInTheFuture, "503 service-unavailable"), (.signatureInvalid, "401 token-invalid-signature"),
        ]
        for (reason, expected) in reasons {
            let failed = Event.verified(.failure(.token(AuthenticationFailure(reason, "test"))))
            #expect(open.after(failed, isTimeKnown: false, from: fixture.network) == expected)
            #expect(open.after(failed, isTimeKnown: true, from: fixture.network) == expected, "known meanwhile")
        }
    }

    // MARK: Keys that are guessed

    private static func guess(_ fixture: AdmissionFixture, times: Int) throws {
        for _ in 0..<times {
            var flow = fixture.flow()
            fixture.tell([(.begins(.key("sk_live_0")), "401 key-malformed")], to: &flow)
        }
    }

    @Test func keysFromANetworkThatGuessesAreNotLookedAt() throws {
        let fixture = try AdmissionFixture()
        let known = try fixture.key(secret: 1)
        var admitted = fixture.flow()
        fixture.tell(
            [(.begins(.key(known.text)), "ask"), (.decided(.success(fixture.decision())), "admit")], to: &admitted)
        try Self.guess(fixture, times: GuessLimiter.maximumFailures)
        let late = AdmissionFixture.start.adding(seconds: 60)
        let other = try #require(ClientNetwork(address: "192.0.2.8"))
        let new = Presented.key(try fixture.key(secret: 2).text)
        let rows: [(Presented, ClientNetwork, UnixTime, String)] = [
            (new, fixture.network, AdmissionFixture.start, "429 too-many-failed-keys"),
            (.key(Self.platformKey), fixture.network, AdmissionFixture.start, "429 too-many-failed-keys"),
            (.key(known.text), fixture.network, AdmissionFixture.start, "ask"),
            (.token, fixture.network, AdmissionFixture.start, "verify session token"),
            (new, other, AdmissionFixture.start, "ask"), (new, fixture.network, late, "ask"),
        ]
        for (presented, network, time, expected) in rows {
            var flow = fixture.flow()
            #expect(flow.after(.begins(presented), at: time, from: network) == expected, "\(presented)")
        }
        #expect(fixture.failures("too-many-failed-keys") == 2)
        let refusal = fixture.flow(.endpoint).guessRefusal(at: AdmissionFixture.start, from: fixture.network)
        #expect(refusal?.code == "too-many-failed-keys", "at the control plane's door")
    }

    @Test func onlyGuessesCountAsSuch() throws {
        let ends: [(AdmissionDecision.Outcome, isGuess: Bool)] = [
            (.keyRefused(.unknown), true), (.keyRefused(.revoked), true), (.keyRefused(.expired), false),
            (.keyRefused(.scopeMissing), false), (.rateLimited, false), (.quotaExceeded, false),
        ]
        for (outcome, isGuess) in ends {
            let fixture = try AdmissionFixture()
            let key = try fixture.key()
            for _ in 0..<GuessLimiter.maximumFailures {
                var flow = fixture.flow()
                _ = flow.after(.begins(.key(key.text)), from: fixture.network)
                _ = flow.after(.decided(.success(fixture.decision(outcome))), from: fixture.network)
            }
            var next = fixture.flow()
            let action = next.after(.begins(.key(key.text)), from: fixture.network)
            #expect(action == (isGuess ? "429 too-many-failed-keys" : "ask"), "\(outcome)")
        }
    }

    // MARK: Keys that are remembered

    /// A key is read and hashed once, and its last check is never left out.
    @Test func anAdmittedKeyIsRemembered() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        let presentation = try #require(key.presentation)
        for (outcome, action) in [
            (AdmissionDecision.Outcome.keyRefused(.unknown), "401 key-unknown"), (.admitted, "admit"),
        ] {
            #expect(fixture.state.keyMemory.principal(for: presentation) == nil)
            var flow = fixture.flow()
            fixture.tell([(.begins(key), "ask"), (.decided(.success(fixture.decision(outcome))), action)], to: &flow)
        }
        #expect(fixture.state.keyMemory.principal(for: presentation)?.userID == fixture.user)
        var flow = fixture.flow()
        fixture.tell(
            [
                (.begins(key), "ask"),
                (.decided(.success(fixture.decision(.keyRefused(.revoked)))), "401 key-revoked"),
            ], to: &flow)
        #expect(flow.isKnownKey)
    }

    /// With each question, for a key that is remembered as well; of a token nothing is worked out.
    @Test func theQuestionSaysWhereAKeyComesFrom() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        let other = try #require(ClientNetwork(address: "2001:db8::7"))
        for (network, address) in [(fixture.network, "192.0.2.7"), (other, "2001:db8::7")] {
            var flow = fixture.flow()
            #expect(flow.after(.begins(key), from: network) == "ask")
            #expect(flow.request?.network?.client == IPAddress(address))
            #expect(flow.after(.decided(.failure(.clockDiffers)), from: fixture.network) == "ask")
            #expect(flow.request?.network?.client == IPAddress(address), "also when it is asked once more")
            fixture.tell([(.decided(.success(fixture.decision())), "admit")], to: &flow)
        }
        var token = fixture.flow()
        fixture.tell(
            [(.begins(.token), "verify session token"), (.verified(.success(fixture.token())), "ask")], to: &token)
        #expect(token.request != nil && token.request?.network == nil)
    }

    /// No stranger guesses it, and others who hold it may go on.
    @Test func aKeyFromAnotherAddressIsNoWrongKey() throws {
        let fixture = try AdmissionFixture()
        let key = Presented.key(try fixture.key().text)
        for _ in 0...GuessLimiter.maximumFailures {
            var flow = fixture.flow()
            fixture.tell(
                [
                    (.begins(key), "ask"),
                    (.decided(.success(fixture.decision(.keyRefused(.addressNotAllowed)))), "403 address-not-allowed"),
                ], to: &flow)
        }
        #expect(fixture.failures("address-not-allowed") == GuessLimiter.maximumFailures + 1)
        #expect(
            fixture.log.lines.contains {
                $0.contains("not be used from this address address=\(fixture.network.address)")
            })
    }

    @Test func tokensAndWhatStandsOutsideTheFieldsAreNotRemembered() throws {
        let fixture = try AdmissionFixture()
        var token = fixture.flow()
        fixture.tell(
            [
                (.begins(.token), "verify session token"), (.verified(.success(fixture.token())), "ask"),
                (.decided(.success(fixture.decision())), "admit"),
            ], to: &token)
        #expect(fixture.state.keyMemory.principal(for: try #require(Presented.token.presentation)) == nil)
        let beside = Presented(apiKey: ["another"], offeredCredentials: [try fixture.key().text])
        var outside = fixture.flow()
        fixture.tell([(.begins(beside), "ask"), (.decided(.success(fixture.decision())), "admit")], to: &outside)
        #expect(fixture.state.keyMemory.principal(for: try #require(beside.presentation)) == nil)
    }
}
