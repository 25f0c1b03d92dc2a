import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// A call of `admit.lua` on its way: which keys and arguments it is given, and whom its answer goes to. It decides on one
/// request, or on several that are alike.
final class AdmissionCall: DirectScriptCall {
    /// What is decided on; of several requests, the one that came first.
    let request: AdmissionRequest

    /// How many requests are decided on.
    let callers: Int

    let arguments: AdmissionArguments
    let moment: AdmissionArguments.Moment
    let onlyTells: Bool
    private let hasOneAddress: Bool
    let form: AdmissionForm
    private let completion: (Result<GroupDecision?, StoreUnavailable>) -> Void

    /// - Parameters:
    ///   - callers: Requests that are alike, from 1. Several of them only where each ``AdmissionRequest/mayShareCall``.
    ///   - hasOneAddress: Whether all of them come from the address that `request` comes from.
    ///   - onlyTells: Charge nothing.
    ///   - completion: Called once. Gets nil when the key is bound to addresses and the requests come from several: then
    ///     nothing was decided, and each of them is to be asked about by itself.
    init(
        _ request: AdmissionRequest, _ arguments: AdmissionArguments, callers: Int = 1, hasOneAddress: Bool = true,
        onlyTells: Bool = false, completion: @escaping (Result<GroupDecision?, StoreUnavailable>) -> Void
    ) {
        self.request = request
        self.arguments = arguments
        self.callers = callers
        self.hasOneAddress = hasOneAddress
        self.onlyTells = onlyTells
        self.completion = completion
        moment = arguments.moment(at: request.time)
        form =
            if onlyTells || request.needsMoreThanACredential {
                .everything
            } else {
                request.principal.credential.isKey ? .key : .token
            }
    }

    var script: RedisScript { arguments.script }

    var keyCount: Int { form.keys.count }
    var argumentCount: Int { form.argumentCount }
    var hashTag: String? { request.principal.userID.value }

    func writeKeys(to buffer: inout ByteBuffer) {
        for key in form.keys { redisKey(key).write(to: &buffer) }
    }

    func writeArguments(to buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(moment.arguments)
        for argument in form.arguments { write(argument, to: &buffer) }
    }

    func finish(_ result: Result<IntegerReply?, RedisError>) {
        switch result {
        case .failure(let error): completion(.failure(StoreUnavailable(error)))
        case .success(let reply):
            guard let reply, reply.count > 0, let verdict = AdmissionVerdict(code: reply[0]) else {
                return completion(.failure(.unexpectedReply(of: "admit.lua")))
            }
            switch verdict {
            case .clockDiffers: completion(.failure(.clockDiffers(at: request.time)))
            case .addressesDiffer: completion(.success(nil))
            case .decided(let outcome):
                guard let decision = decision(outcome, from: reply) else {
                    return completion(.failure(.unexpectedReply(of: "admit.lua")))
                }
                completion(.success(decision))
            }
        }
    }
}

// MARK: Keys and arguments

/// The keys that `admit.lua` is given, in their order: the script's names for them are made of these. `minute` is
/// `KEYS[MINUTE_KEY]`.
enum AdmissionKey: String, CaseIterable {
    /// The counter of the clock minute.
    case minute
    case usage
    case subscription

    /// Where what the credential is compared with stands. Of a token nothing does.
    case credential

    /// The record of the call that may be repeated.
    case idempotency

    /// The counter of the clock minute on the route.
    case routeMinute
}

/// What else `admit.lua` is given for one admission, in its order. The script's names for their places are made of these:
/// `routeRate` is `ARGV[ROUTE_RATE]`.
enum AdmissionArgument: String, CaseIterable {
    /// Of each request, in calls.
    case cost

    /// How many requests are decided on.
    case callers

    /// What the calls are booked under.
    case route

    /// `key` or `platform`, what ``AdmissionKey/credential`` is. Empty for a token.
    case credentialKind

    /// SHA-256 of the presented key; of a platform's key the SHA-1.
    case digest

    /// The scopes that are needed, with spaces between them; of a platform's key only those that it never has.
    case scopes

    /// Where a key comes from: 8 or 32 hexadecimal digits. Empty when that is not known, `*` for several addresses.
    case clientAddress

    /// The plan that the credential claims, and when it was issued (ISO 8601). Empty when it does not say.
    case claimedPlan, issuedAt

    /// 1 = an exhausted quota refuses; 0 = it only stops counting.
    case enforcesQuota

    /// 1 = only tell what would be decided.
    case onlyTells

    /// The request's. Empty when it bears no idempotency key.
    case fingerprint

    /// How long the call is remembered (ISO 8601).
    case rememberedUntil

    /// The id. Empty without one.
    case reservation

    /// When the lease of the reservation ends (ISO 8601).
    case leaseEnd

    /// 1 = the calls of the reservation go back when the request fails.
    case givesBack

    /// The route's own rate per minute. Empty without one.
    case routeRate

    /// Calls with an idempotency key that are remembered of one user.
    case rememberedCalls
}

/// How much there is to look at. The script tells the forms apart by the number of arguments. A key claims no plan.
enum AdmissionForm: String, CaseIterable {
    case token
    case key
    case everything

    var keys: [AdmissionKey] {
        switch self {
        case .token: Self.keysOfToken
        case .key: Self.keysOfKey
        case .everything: Self.allKeys
        }
    }

    /// Those that follow the ones that many admissions have in common.
    var arguments: [AdmissionArgument] {
        switch self {
        case .token: Self.argumentsOfToken
        case .key: Self.argumentsOfKey
        case .everything: Self.allArguments
        }
    }

    var argumentCount: Int { Self.sharedCount + arguments.count }

    private static let sharedCount = SharedAdmissionArgument.allCases.count
    private static let keysOfToken: [AdmissionKey] = [.minute, .usage, .subscription]
    private static let keysOfKey: [AdmissionKey] = keysOfToken + [.credential]
    private static let allKeys = AdmissionKey.allCases
    private static let argumentsOfToken: [AdmissionArgument] = [.cost, .callers, .route, .claimedPlan, .issuedAt]
    private static let argumentsOfKey: [AdmissionArgument] = [
        .cost, .callers, .route, .credentialKind, .digest, .scopes, .clientAddress,
    ]
    private static let allArguments = AdmissionArgument.allCases
}

extension AdmissionCall {
    /// One that is not needed is that of the usage record.
    private func redisKey(_ key: AdmissionKey) -> RedisKey {
        let user = request.principal.userID
        switch key {
        case .minute: return .rateLimit(user, minute: moment.minute)
        case .usage: return .usage(user)
        case .subscription: return .subscription(user)
        case .credential:
            switch request.principal.credential {
            case .token: return .usage(user)
            case .secretKey(let id, _, _): return .key(id, of: user)
            case .platformKey: return .apiKey(of: user)
            }
        case .idempotency: return request.idempotentCall.map { .idempotency(user, key: $0.key) } ?? .usage(user)
        case .routeMinute:
            return request.routeLimit.map { .rateLimit(user, route: $0.route, minute: moment.minute) } ?? .usage(user)
        }
    }

    private func write(_ argument: AdmissionArgument, to buffer: inout ByteBuffer) {
        switch argument {
        case .cost: buffer.writeArgument(request.cost)
        case .callers: buffer.writeArgument(callers)
        case .route: buffer.writeArgument(request.route)
        case .credentialKind, .digest: write(argument, of: request.principal.credential, to: &buffer)
        case .scopes: writeScopes(to: &buffer)
        case .clientAddress: writeClientAddress(to: &buffer)
        case .claimedPlan: buffer.writeArgument(request.principal.claimedPlan ?? "")
        case .issuedAt:
            let margin = PlanResolution.claimMarginSeconds
            write(request.principal.issuedAt?.adding(seconds: -margin), to: &buffer)
        case .enforcesQuota: buffer.writeArgument(request.quotaPolicy == .enforce ? 1 : 0)
        case .onlyTells: buffer.writeArgument(onlyTells ? 1 : 0)
        case .fingerprint: buffer.writeArgument(request.idempotentCall?.fingerprint ?? "")
        case .rememberedUntil:
            write(request.idempotentCall.map { _ in IdempotentCall.keptSeconds }.map(later), to: &buffer)
        case .reservation: buffer.writeArgument(request.reservation?.id ?? "")
        case .leaseEnd: write((request.reservation?.leaseSeconds).map(later), to: &buffer)
        case .givesBack: buffer.writeArgument(request.reservation?.givesBack == true ? 1 : 0)
        case .routeRate: buffer.writeArgument(request.routeLimit.map { String($0.ratePerMinute) } ?? "")
        case .rememberedCalls: buffer.writeArgument(IdempotentCall.maximumCount)
        }
    }

    private func later(bySeconds seconds: Int64) -> UnixTime { request.time.adding(seconds: seconds) }

    private func write(_ time: UnixTime?, to buffer: inout ByteBuffer) {
        if let time { buffer.writeArgument(time) } else { buffer.writeArgument("") }
    }

    private func write(_ argument: AdmissionArgument, of credential: Credential, to buffer: inout ByteBuffer) {
        let isDigest = argument == .digest
        switch credential {
        case .token: buffer.writeArgument("")
        case .secretKey(_, _, let hash): buffer.writeArgument(isDigest ? hash.hex : "key")
        case .platformKey(let fingerprint, _): buffer.writeArgument(isDigest ? fingerprint : "platform")
        }
    }

    private func writeClientAddress(to buffer: inout ByteBuffer) {
        guard hasOneAddress else { return buffer.writeArgument("*") }
        guard let address = request.network?.client else { return buffer.writeArgument("") }
        if let bits = address.ipv4Bits { buffer.writeHexadecimal(bits) } else { buffer.writeArgument(address.digits) }
    }

    private func writeScopes(to buffer: inout ByteBuffer) {
        let scopes = request.scopesToCheck
        switch scopes.count {
        case 0: buffer.writeArgument("")
        case 1: buffer.writeArgument(scopes[0].value)
        default: buffer.writeArgument(scopes.map(\.value).joined(separator: " "))
        }
    }
}

extension AdmissionRequest {
    fileprivate var needsMoreThanACredential: Bool {
        idempotentCall != nil || reservation != nil || routeLimit != nil || quotaPolicy != .enforce
    }

    /// Those of the required scopes that the script looks at.
    fileprivate var scopesToCheck: [KeyScope] {
        guard case .platformKey = principal.credential, !requiredScopes.isEmpty else { return requiredScopes }
        return requiredScopes.filter(KeyScope.management.contains)
    }
}

extension ByteBuffer {
    /// An argument of eight hexadecimal digits, as ``IPAddress/digits`` has them, without going through a string.
    fileprivate mutating func writeHexadecimal(_ bits: UInt32) {
        // A digit to each byte.
        var digits = UInt64(bits)
        digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff
        digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff
        digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f
        // 1 in the bytes of those above 9.
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        let fromDigitToLetter = UInt64(UInt8(ascii: "a") - UInt8(ascii: "0") - 10)
        writeStaticString("$8\r\n")
        writeInteger(digits + 0x3030_3030_3030_3030 + letters * fromDigitToLetter)
        writeStaticString("\r\n")
    }
}
