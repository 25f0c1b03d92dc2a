import JSONValue
import TollgateCore

/// The users that Clerk would know, and the rules by which their metadata changes.
struct ClerkDirectory: Sendable {
    /// The kinds of metadata, as a user and an update name them.
    static let metadataKinds = ["private_metadata", "public_metadata", "unsafe_metadata"]

    /// Of all kinds together.
    static let maximumMetadataBytes = 8_192

    /// Updates of one user's metadata in ``windowSeconds``.
    static let maximumUpdates = 10
    static let windowSeconds: Int64 = 10

    /// Whether users have to be added before they are known.
    let isStrict: Bool

    private(set) var users: [String: JSON] = [:]
    private(set) var updates: [ClerkAPIStandIn.Update] = []
    private var deleted: Set<String> = []
    private var recentUpdates: [String: [UnixTime]] = [:]

    init(isStrict: Bool) { self.isStrict = isStrict }

    mutating func add(_ id: String, publicMetadata: [String: JSON], now: UnixTime) {
        deleted.remove(id)
        let milliseconds = JSON.integer(now.milliseconds)
        users[id] = [
            "id": .string(id), "object": "user", "created_at": milliseconds, "updated_at": milliseconds,
            "last_active_at": milliseconds, "last_sign_in_at": nil, "legal_accepted_at": nil,
            "external_id": nil, "username": nil, "first_name": nil, "last_name": nil, "has_image": false,
            "email_addresses": [], "phone_numbers": [], "web3_wallets": [], "passkeys": [],
            "external_accounts": [], "saml_accounts": [], "enterprise_accounts": [],
            "primary_email_address_id": nil, "primary_phone_number_id": nil, "primary_web3_wallet_id": nil,
            "private_metadata": [:], "public_metadata": JSON(publicMetadata), "unsafe_metadata": [:],
            "password_enabled": true, "two_factor_enabled": false, "totp_enabled": false,
            "backup_code_enabled": false, "mfa_enabled_at": nil, "mfa_disabled_at": nil,
            "banned": false, "locked": false, "lockout_expires_in_seconds": nil,
            "verification_attempts_remaining": nil, "delete_self_enabled": true,
            "create_organization_enabled": true,
        ]
    }

    /// Removes a user, who stays unknown until added again.
    mutating func delete(_ id: String) {
        users[id] = nil
        deleted.insert(id)
    }

    /// A user; one that is seen for the first time is made up, unless this is strict.
    mutating func user(_ id: String, now: UnixTime) throws -> JSON {
        if users[id] == nil, !isStrict, !deleted.contains(id) { add(id, publicMetadata: [:], now: now) }
        guard let user = users[id] else { throw ClerkAPIError.noSuchUser(id) }
        return user
    }

    /// Merges metadata into a user's, and returns the user.
    mutating func update(_ id: String, with body: JSON, now: UnixTime) throws -> JSON {
        var user = try user(id, now: now)
        try countUpdate(of: id, now: now)
        for patch in try Self.patches(body) { user[patch.name].merge(patch.value) }
        let size = Self.metadataKinds.reduce(0) { $0 + user[$1].text.utf8.count }
        guard size <= Self.maximumMetadataBytes else {
            throw ClerkAPIError.unprocessable(code: "form_param_value_too_large", "Metadata exceeds 8 KB.")
        }
        user["updated_at"] = .integer(now.milliseconds)
        users[id] = user
        updates.append(ClerkAPIStandIn.Update(user: id, body: body, time: now))
        return user
    }

    private static func patches(_ body: JSON) throws -> [JSON.Member] {
        guard let members = body.members else { throw ClerkAPIError.invalidBody }
        for member in members {
            guard metadataKinds.contains(member.name) else {
                throw ClerkAPIError.unprocessable(
                    code: "form_param_unknown", "\(member.name) is not a valid parameter for this request.")
            }
            guard member.value.members != nil else {
                throw ClerkAPIError.unprocessable(
                    code: "form_param_format_invalid", "\(member.name) must be an object.")
            }
        }
        return members
    }

    /// - Throws: 429 when there were too many in the last seconds. A refused one is not counted.
    private mutating func countUpdate(of id: String, now: UnixTime) throws {
        let recent = (recentUpdates[id] ?? []).filter { now < $0.adding(seconds: Self.windowSeconds) }
        guard recent.count < Self.maximumUpdates else {
            let milliseconds = recent[0].adding(seconds: Self.windowSeconds).milliseconds - now.milliseconds
            throw ClerkAPIError.tooManyRequests(retryAfterSeconds: Int((milliseconds + 999) / 1000))
        }
        recentUpdates[id] = recent + [now]
    }
}
