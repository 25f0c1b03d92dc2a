import HTTPTypes
import HTTPWire
import Logging
import NIOEmbedded
import PrometheusMetrics
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateStore

@testable import TollgateDataPlane

/// What an ``AdmissionFlow`` shares with others, without Redis, sockets and processes; and callers of it.
struct AdmissionFixture {
    /// 2025-11-26T23:00:00Z, the beginning of a minute.
    static let start = UnixTime(seconds: 1_764_198_000)

    let registry = PrometheusRegistry()
    let log = KeptLog()
    let bookings = KeptBookings()
    let state: AdmissionState
    let user: UserID
    let network: ClientNetwork

    init(tokens: [String: Result<Principal, AuthenticationFailure>] = [:]) throws {
        user = try #require(UserID("user_abc"))
        network = try #require(ClientNetwork(address: "192.0.2.7"))
        let metrics = GatewayMetrics(factory: registry)
        let outage = OutageLimiter(
            plans: InForce(.standard), workerID: "worker", bookings: bookings, time: ManualTime(Self.start),
            tally: OutageTally(factory: registry, metrics: metrics, logger: log.logger))
        state = AdmissionState(
            authenticator: ListedTokens(tokens: tokens), keyOwners: NoPlatforms(), outage: outage,
            callers: CallerCounts(eventLoopGroup: NIOAsyncTestingEventLoop()),
            health: AdmissionHealth(isCluster: false), metrics: metrics, requestIDs: RequestIDGenerator(),
            logger: log.logger)
    }

    func flow(
        _ purpose: AdmissionFlow.Purpose = .proxy, _ policy: AdmissionPolicy = .standard
    ) -> AdmissionFlow {
        AdmissionFlow(purpose, policy, state)
    }

    /// The same for a route.
    func flow(_ change: (inout Route) -> Void) throws -> AdmissionFlow {
        var route = Route(name: "api", path: .prefix("/"))
        change(&route)
        return flow(.proxy, AdmissionPolicy(route))
    }

    /// A key of the user, which no store knows.
    func key(secret: UInt8 = 7) throws -> APIKey {
        let id = try #require(KeyID("key_0123456789abcdef"))
        return try #require(
            APIKey(
                id: id, owner: user, mode: .live, secret: [UInt8](repeating: secret, count: APIKey.secretByteCount)))
    }

    func token() -> Principal { Principal(userID: user) }

    /// What the store says of a call.
    func decision(
        _ outcome: AdmissionDecision.Outcome = .admitted, reservation: Reservation? = nil, oddities: Oddities = [],
        rate: Int = 1
    ) -> AdmissionDecision {
        AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: 1, limit: 5, plan: "free", period: BillingPeriod(containing: Self.start)),
            rate: RateSnapshot(count: rate, limit: 100, window: RateWindow(containing: Self.start)),
            oddities: oddities, reservation: reservation)
    }

    func reservation(idempotencyKey: String? = nil) -> Reservation {
        Reservation(id: "r1", userID: user, calls: 1, record: "", idempotencyKey: idempotencyKey)
    }

    /// How often a refusal was counted.
    func failures(_ code: String) -> Int { count(of: "tollgate_authentication_failures_total{reason=\"\(code)\"}") }

    /// The value of a counter. 0 for one that is not there.
    func count(of series: String) -> Int {
        let line = registry.render().split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Int($0.dropFirst(series.count + 1)) } ?? 0
    }
}

/// Where a request bears what.
struct Presented: CredentialPlaces {
    var authorization: [String] = []
    var apiKey: [String] = []
    var tickets: [Substring] = []
    var offeredCredentials: [String] = []

    static let nothing = Presented()
    static let token = Presented(authorization: ["Bearer a.b.c"])

    static func key(_ text: String) -> Presented { Presented(apiKey: [text]) }

    var presentation: KeyMemory.Presentation? {
        if let key = apiKey.first { return .init(field: .apiKey, value: key) }
        return authorization.first.map { .init(field: .authorization, value: $0) }
    }
}

/// What happens to a flow.
enum Event {
    case begins(Presented, idempotencyKeys: [String] = [])
    case verified(Result<Principal, AdmissionState.VerificationFailure>)
    case redeemed(Result<Principal?, StoreUnavailable>)
    case bodyGathered(String?)
    case decided(Result<AdmissionDecision, StoreUnavailable>)
    case storedAnswer(Result<StoredAnswer?, StoreUnavailable>)
    case clientGone
    case ended(Reservation.Outcome)
}

extension AdmissionFlow {
    /// What is to be done after `event`, in one or a few words.
    mutating func after(
        _ event: Event, at time: UnixTime = AdmissionFixture.start, isTimeKnown: Bool = true,
        from network: ClientNetwork
    ) -> String {
        let now = ClockReading(time: time, isKnown: isTimeKnown)
        switch event {
        case .begins(let presented, let keys):
            return begin(presented, idempotencyKeys: keys, at: now, from: network).words
        case .verified(let result): return verified(result, at: now, from: network).words
        case .redeemed(let result): return redeemed(result, at: now, from: network).words
        case .bodyGathered(let fingerprint): return bodyGathered(fingerprint: fingerprint, at: now).words
        case .decided(let result): return decided(result, at: now).words
        case .storedAnswer(let result): return storedAnswerRead(result, at: now).words
        case .ended(let outcome): return settle(as: outcome).words
        case .clientGone:
            clientGone()
            return "-"
        }
    }
}

extension AdmissionFlow.Action {
    var words: String {
        switch self {
        case .nothing: "-"
        case .verify(let credential): "verify \(credential)"
        case .redeem: "redeem"
        case .gatherBody: "gather"
        case .ask(let request):
            [
                "ask", request.idempotentCall.map { "for \($0.key)" },
                request.reservation.map { $0.givesBack ? "giving back" : "reserving" },
            ].compactMap(\.self).joined(separator: " ")
        case .readStoredAnswer(let call, _): "read \(call.key)"
        case .admit: "admit"
        case .replay(let answer): "replay \(answer.status)"
        case .refuse(let error): "\(error.status.code) \(error.code)"
        case .settle(let reservation, .keep): "keep \(reservation.id)"
        case .settle(let reservation, .keepAndReplay): "keep and replay \(reservation.id)"
        case .settle(let reservation, .giveBack): "give back \(reservation.id)"
        }
    }
}

/// What happens one after the other, and what is to be done after each.
typealias Story = [(event: Event, action: String)]

extension AdmissionFixture {
    /// Tells `flow` the story.
    func tell(
        _ story: Story, to flow: inout AdmissionFlow, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (place, step) in story.enumerated() {
            let action = flow.after(step.event, from: network)
            #expect(action == step.action, "step \(place + 1): \(step.event)", sourceLocation: sourceLocation)
        }
    }
}

/// Tokens that are known, and those that were verified before.
struct ListedTokens: TokenAuthenticator {
    let tokens: [String: Result<Principal, AuthenticationFailure>]

    func authenticate(token: String) async throws(AuthenticationFailure) -> Principal {
        guard let result = tokens[token] else { throw AuthenticationFailure(.signatureInvalid, "test") }
        return try result.get()
    }

    /// Those whose name says so.
    func remembered(token: String) throws(AuthenticationFailure) -> Principal? {
        token.hasPrefix("remembered") ? try tokens[token]?.get() : nil
    }
}

struct NoPlatforms: PlatformKeyDirectory {
    func remembered(_ key: PlatformKey) -> Principal? { nil }

    func principal(for key: PlatformKey) async throws(StoreUnavailable) -> Principal? { nil }
}

final class KeptBookings: OutageBookings {
    private let kept = Mutex<[OutageBook.Batch]>([])

    func book(_ batch: OutageBook.Batch, passing worker: String, at time: UnixTime) async throws(StoreUnavailable) {
        kept.withLock { $0.append(batch) }
    }
}

extension StoreUnavailable {
    static let away = StoreUnavailable(.unreachable, reason: "test")
    static let awayAfterItWasAsked = StoreUnavailable(.unreachable, reason: "test", mayBeDone: true)
    static let clockDiffers = StoreUnavailable(.clockDiffers, reason: "test")
    static let wrongType = StoreUnavailable(.answeredError(.wrongType), reason: "test")
    static let outOfMemory = StoreUnavailable(.answeredError(.outOfMemory), reason: "test")
}
