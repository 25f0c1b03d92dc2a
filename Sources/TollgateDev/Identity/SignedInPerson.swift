import TollgateCore

/// Who is signed in at the development identity provider, as its cookie says it.
///
/// The cookie is not signed: whoever can reach the provider may sign in as anybody.
struct SignedInPerson: Sendable, Hashable {
    static let cookieName = "__tollgate_dev_client"

    let userID: UserID

    /// What the person is called: any text.
    let name: String

    /// The plan that the tokens claim. Nil claims none.
    let plan: String?

    /// Reads the fields `user`, `name` and `plan` of a form. Nil when `user` is no user id.
    init?(form: String) {
        let fields = Self.fields(of: form)
        guard let userID = fields["user"].flatMap({ UserID($0) }) else { return nil }
        self.userID = userID
        let name = fields["name"] ?? ""
        self.name = String((name.isEmpty ? userID.value : name).prefix(200))
        plan = fields["plan"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Reads the `Cookie` field of a request. Nil when nobody is signed in.
    init?(cookies: String?) {
        let wanted = Self.cookieName + "="
        let pairs = (cookies ?? "").split(separator: ";").map { $0.drop { $0 == " " } }
        guard let pair = pairs.first(where: { $0.hasPrefix(wanted) }),
            let form = pair.dropFirst(wanted.count).percentDecoded()
        else { return nil }
        self.init(form: form)
    }

    /// For `Set-Cookie`: scripts cannot read it, and other sites' pages cannot send it.
    var cookie: String {
        let form = "user=\(userID.value.percentEncoded)&name=\(name.percentEncoded)&plan=\((plan ?? "").percentEncoded)"
        return "\(Self.cookieName)=\(form.percentEncoded); Path=/; HttpOnly; SameSite=Lax; Max-Age=86400"
    }

    /// Ends what ``cookie`` begins.
    static let noCookie = "\(cookieName)=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"

    /// As ClerkJS shows a user.
    var json: JSONValue {
        ["id": .string(userID.value), "fullName": .string(name), "primaryEmailAddress": nil]
    }

    /// The fields of a form; of one that is given twice the last.
    static func fields(of form: String) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts[0].percentDecoded(plusIsSpace: true),
                let value = (parts.count > 1 ? parts[1] : "").percentDecoded(plusIsSpace: true)
            else { continue }
            fields[name] = value
        }
        return fields
    }
}

extension String {
    /// With everything but letters, digits and `- . _ ~` percent-encoded (RFC 3986, section 2.3).
    var percentEncoded: String {
        utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            if character.isASCII, character.isLetter || character.isNumber || "-._~".contains(character) {
                return String(character)
            }
            return (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
