import JSONValue
import PercentCoding
import TollgateCore

/// The user who is signed in at the development identity provider, as its cookie says it.
///
/// The cookie is not signed: a client that can reach the provider may sign in as any user.
struct SignedInUser: Sendable, Hashable {
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

    /// Reads the `Cookie` field of a request. Nil when no user is signed in.
    init?(cookies: String?) {
        let wanted = Self.cookieName + "="
        let pairs = (cookies ?? "").split(separator: ";").map { $0.drop { $0 == " " } }
        guard let pair = pairs.first(where: { $0.hasPrefix(wanted) }),
            let form = PercentEncoding.decoded(pair.dropFirst(wanted.count))
        else { return nil }
        self.init(form: form)
    }

    /// For `Set-Cookie`: scripts cannot read it, and other sites' pages cannot send it.
    var cookie: String {
        let form = [("user", userID.value), ("name", name), ("plan", plan ?? "")]
            .map { "\($0)=\(PercentEncoding.formText($1))" }.joined(separator: "&")
        return "\(Self.cookieName)=\(PercentEncoding.component(form)); Path=/; HttpOnly; SameSite=Lax; Max-Age=86400"
    }

    /// Ends what ``cookie`` begins.
    static let noCookie = "\(cookieName)=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"

    /// As ClerkJS shows a user.
    var json: JSON {
        ["id": .string(userID.value), "fullName": .string(name), "primaryEmailAddress": nil]
    }

    /// The fields of a form. None of one that is not well-formed.
    static func fields(of form: String) -> [String: String] {
        guard case .fields(let fields)? = try? StandInFormValue(form: form) else { return [:] }
        return fields.compactMapValues { if case .text(let text) = $0 { text } else { nil } }
    }
}
