import HTTPTypes
package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a caller presents, read from the texts of two header fields. It is not verified yet, and nothing that it says
/// is believed yet.
package enum PresentedCredential: Sendable, Hashable {
    /// A session token, or what is to be refused as one.
    case token(String)
    case key(PresentedKey)

    /// - Parameters:
    ///   - authorization: The values of `Authorization`: `Bearer <token or key>`, or `Basic` with the key as the user
    ///     name and any password, as `curl -u "$KEY:"` sends it.
    ///   - apiKey: The values of `X-API-Key`. It goes first: the Authorization beside it may be meant for the upstream.
    /// - Throws: The refusal of a request that presents nothing, several things, or a key that cannot be one.
    package static func read(authorization: [String], apiKey: [String]) throws(APIError) -> PresentedCredential {
        guard authorization.count < 2 else { throw .duplicateCredential(field: "Authorization") }
        guard apiKey.count < 2 else { throw .duplicateCredential(field: "X-API-Key") }
        if let text = apiKey.first, !text.isEmpty { return .key(try key(text)) }
        guard let value = authorization.first, !value.isEmpty else { throw .missing("No Authorization header.") }
        if let text = parameters(of: "bearer", in: value) {
            return PresentedKey.claims(text) ? .key(try key(text)) : .token(text)
        }
        if let text = parameters(of: "basic", in: value) { return .key(try key(userName(inBasic: text))) }
        throw .missing("The Authorization header is not of the form 'Bearer <session token>'.")
    }

    /// Whether the value of an `Authorization` field holds what begins like a key of this gateway's, good or bad, in
    /// whatever form: as it is, or in the user name or the password of Basic authentication.
    static func holdsKey(_ authorization: String) -> Bool {
        if KeyTrace.isIn(Array(authorization.utf8)) { return true }
        // Some take a list for several credentials.
        return authorization.split(separator: ",").contains { member in
            let member = member.drop { $0 == " " || $0 == "\t" }
            guard member.utf8.count > "basic".utf8.count, member.prefix(5).lowercased() == "basic" else { return false }
            return lenientlyDecoded(member.dropFirst(5)).map { KeyTrace.isIn(Array($0)) } ?? false
        }
    }

    /// Servers may decode base64 that the standard forbids: without padding, in the alphabet of URLs.
    private static func lenientlyDecoded(_ text: Substring) -> Data? {
        var digits = text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "+/-_".contains($0)) }
            .replacing("-", with: "+").replacing("_", with: "/")
        // One digit alone in the end stands for no byte.
        if digits.count % 4 == 1 { digits.removeLast() }
        return Data(base64Encoded: digits + String(repeating: "=", count: (4 - digits.count % 4) % 4))
    }

    /// What follows the scheme, whose name is case-insensitive (RFC 9110, section 11.1). Nil when there is another
    /// scheme, or nothing.
    ///
    /// - Parameter scheme: Small letters.
    private static func parameters(of scheme: String, in value: String) -> String? {
        let blank = UInt8(ascii: " ")
        // The bit that tells a capital from a small letter.
        guard let space = value.utf8.firstIndex(of: blank),
            value.utf8[..<space].elementsEqual(scheme.utf8, by: { $0 | 0x20 == $1 }),
            let start = value.utf8[space...].firstIndex(where: { $0 != blank })
        else { return nil }
        return String(value[start...])
    }

    /// The part before the colon (RFC 7617, section 2); empty when there is none, which is no key.
    private static func userName(inBasic text: String) -> String {
        guard text.utf8.count <= maximumBasicLength, let pair = Data(base64Encoded: text),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return "" }
        return String(decoding: pair[..<colon], as: UTF8.self)
    }

    /// The longest key in base64, and as much again for a password.
    private static let maximumBasicLength = 1024

    private static func key(_ text: String) throws(APIError) -> PresentedKey {
        do throws(APIKey.Problem) {
            return try PresentedKey(text)
        } catch {
            throw .key(error)
        }
    }
}

extension PresentedCredential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret: descriptions end up in logs.
    package var description: String {
        switch self {
        case .token: "session token"
        case .key(.secret(let key)): key.description
        case .key(.platform(let key)): key.description
        }
    }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Where a request may bear a credential. Each place is read when it is asked for: most requests need one of them.
protocol CredentialPlaces {
    /// The values of `Authorization`.
    var authorization: [String] { get }

    /// The values of `X-API-Key`.
    var apiKey: [String] { get }

    /// The values of the target's parameter that a ticket comes in (``Ticket/parameter``).
    var tickets: [Substring] { get }

    /// The credentials among the subprotocols that are offered (``BearerSubprotocol``).
    var offeredCredentials: [String] { get }

    /// The one field that bears a credential. Nil when there is none, or several, and where it need not be remembered.
    var presentation: KeyMemory.Presentation? { get }
}

/// A browser cannot send `Authorization` with a WebSocket or an EventSource. It presents a ticket in the query, or a
/// credential among the subprotocols. Either is unmistakably meant for the gateway, so it goes before every field; those
/// beside it may be the upstream's.
extension CredentialPlaces {
    /// - Throws: The refusal of a text that is no ticket, and of several.
    package func ticket() throws(APIError) -> Ticket? {
        let values = tickets
        guard let value = values.first else { return nil }
        guard values.count < 2 else { throw .duplicateCredential(field: Ticket.parameter.name, "parameter") }
        guard let ticket = Ticket(value) else { throw .unknownTicket }
        return ticket
    }

    /// - Throws: The refusal of a text that cannot be a key, and of several credentials.
    func offeredCredential() throws(APIError) -> PresentedCredential? {
        let offered = offeredCredentials
        guard let credential = offered.first else { return nil }
        guard offered.count == 1 else { throw .duplicateCredential(field: "Sec-WebSocket-Protocol", "credential") }
        return try .read(authorization: ["Bearer \(credential)"], apiKey: [])
    }

    /// - Throws: As ``PresentedCredential/read(authorization:apiKey:)``.
    package func credential() throws(APIError) -> PresentedCredential {
        try .read(authorization: authorization, apiKey: apiKey)
    }
}

extension HTTPFields: CredentialPlaces {
    package var authorization: [String] { self[values: .authorization] }
    package var apiKey: [String] { self[values: .xAPIKey] }
    package var tickets: [Substring] { [] }
    var offeredCredentials: [String] { [] }
    var presentation: KeyMemory.Presentation? { nil }
}

extension APIError {
    fileprivate static func missing(_ problem: String) -> APIError {
        .authentication(
            AuthenticationFailure(
                .tokenMissing,
                "\(problem) Send 'Authorization: Bearer <session token or API key>', 'X-API-Key: <API key>', "
                    + "or the API key as the user name of Basic authentication."))
    }
}

extension HTTPField.Name {
    static let xAPIKey = constant("X-API-Key")
}
