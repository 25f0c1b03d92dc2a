package import JWTKit

/// A JSON Web Key Set (RFC 7517), of which only the keys that can have signed a session token matter.
package struct KeySetDocument: Decodable {
    /// RSA keys for RS256 signatures, by name. Of two keys with one name the first counts.
    package let keys: [String: Insecure.RSA.PublicKey]

    /// Entries of other kinds are left out, as are those that are no key at all: one bad entry spoils no other.
    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: JSONName.self)
        var entries = try members.nestedUnkeyedContainer(forKey: "keys")
        var keys: [String: Insecure.RSA.PublicKey] = [:]
        while !entries.isAtEnd {
            guard let (name, key) = try entries.decodeIfPresent(Entry.self)?.namedKey, keys[name] == nil else {
                continue
            }
            keys[name] = key
        }
        self.keys = keys
    }

    private struct Entry: Decodable {
        let namedKey: (name: String, key: Insecure.RSA.PublicKey)?

        init(from decoder: any Decoder) throws {
            namedKey = try? Self.read(decoder)
        }

        private static func read(
            _ decoder: any Decoder
        ) throws -> (name: String, key: Insecure.RSA.PublicKey)? {
            let members = try decoder.container(keyedBy: JSONName.self)
            func string(_ name: JSONName) throws -> String? { try members.decodeIfPresent(String.self, forKey: name) }

            guard try string("kty") == "RSA",
                try string("use") ?? "sig" == "sig",
                try string("alg") ?? "RS256" == "RS256",
                let name = try string("kid"), let modulus = try string("n"), let exponent = try string("e")
            else { return nil }
            return (name, try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent))
        }
    }
}
