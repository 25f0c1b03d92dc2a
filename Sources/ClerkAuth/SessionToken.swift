package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A token taken apart. Nothing that it says may be believed before its signature is verified.
package struct SessionToken: Sendable {
    /// Browsers do not send more than 4 KB of cookie; a template may add some.
    package static let maximumBytes = 8192

    /// The name of the key that signed it. Nil when the header does not say.
    let keyID: String?

    /// What it says of the caller.
    package let claims: SessionClaims

    /// The bytes that the signature was made over: header and claims as they were sent.
    let signedBytes: [UInt8]

    /// The signature's bytes.
    package let signature: [UInt8]

    /// - Throws: ``AuthenticationFailure`` for whatever is no session token of Clerk's, also where Clerk signed it.
    package init(_ text: String) throws(AuthenticationFailure) {
        guard !text.isEmpty else {
            throw AuthenticationFailure(.tokenMissing, "The session token is empty; sign in and send the token.")
        }
        guard text.utf8.count <= Self.maximumBytes else {
            throw .invalid("The session token is longer than \(Self.maximumBytes) bytes; put fewer claims into it.")
        }
        try Self.refuseMachineToken(text)

        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw .invalid("The session token is not a JWT, which has three parts; send the token as Clerk gave it.")
        }
        let header = try Self.decode(SessionTokenHeader.self, from: parts[0], part: "header")
        try header.check()
        keyID = header.keyID
        claims = try Self.decode(SessionClaims.self, from: parts[1], part: "payload")
        guard let signature = Base64.decode(parts[2], alphabet: .url) else { throw .notBase64("signature") }
        self.signature = signature
        signedBytes = Array(text.utf8[..<parts[1].endIndex])
    }

    /// Keys of programs. They are no JWT, and would only be called malformed without this.
    private static func refuseMachineToken(_ text: String) throws(AuthenticationFailure) {
        for prefix in ["ak_", "oat_", "m2m_", "mt_"] where text.hasPrefix(prefix) {
            throw .invalid("Tokens that begin with \(prefix) belong to machines; send a user's session token.")
        }
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from encoded: Substring.UTF8View, part: String
    ) throws(AuthenticationFailure) -> Value {
        guard let bytes = Base64.decode(encoded, alphabet: .url) else { throw .notBase64(part) }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let failure as AuthenticationFailure {
            throw failure
        } catch {
            throw .invalid("The session token's \(part) is not the JSON of a JWT; send the token as Clerk gave it.")
        }
    }
}

/// The first part of a token: how it is signed, and with which key.
struct SessionTokenHeader: Decodable {
    private static let machineToMachineCategory = "cl_B7d4PD333AAA"

    let keyID: String?
    private let algorithm: String?
    private let type: String?
    private let category: String?
    private let hasCriticalExtensions: Bool

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: JSONName.self)
        keyID = try members.decodeIfPresent(String.self, forKey: "kid")
        algorithm = try members.decodeIfPresent(String.self, forKey: "alg")
        type = try members.decodeIfPresent(String.self, forKey: "typ")
        category = try members.decodeIfPresent(String.self, forKey: "cat")
        hasCriticalExtensions = members.contains("crit")
    }

    /// - Throws: ``AuthenticationFailure`` when the token is of a kind that is not accepted.
    func check() throws(AuthenticationFailure) {
        // The algorithm is ours to choose, never the token's: a public key would serve as the secret of an HMAC.
        guard algorithm == "RS256" else {
            throw AuthenticationFailure(
                .algorithmInvalid, "The session token is not signed with RS256; send a token that Clerk signed.")
        }
        guard type == nil || type == "JWT" else {
            throw .invalid("The token's type is not JWT; send a session token.")
        }
        // RFC 7515 section 4.1.11: what must be understood and is not, is refused. We understand none.
        guard !hasCriticalExtensions else {
            throw .invalid("The token needs extensions that are not supported (crit); send a plain session token.")
        }
        guard category != Self.machineToMachineCategory else {
            throw .invalid("The token is a machine-to-machine token; send a user's session token.")
        }
    }
}

extension AuthenticationFailure {
    static func invalid(_ message: String) -> Self { Self(.tokenInvalid, message) }

    fileprivate static func notBase64(_ part: String) -> Self {
        .invalid("The session token's \(part) is not base64url; send the token as Clerk gave it.")
    }
}
