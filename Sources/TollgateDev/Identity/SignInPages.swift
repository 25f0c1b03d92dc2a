import HTTPTypes
import Hummingbird
import PercentCoding

/// The development identity provider's own pages: what it is, and a choice of whom to be.
struct SignInPages: Sendable {
    let issuer: String

    func add(to router: Router<BasicRequestContext>) {
        router.get("/") { _, _ in front }
        router.get("/sign-in") { request, _ in
            picker(redirectURL: request.uri.queryParameters["redirect_url"].flatMap { PercentEncoding.decoded($0) })
        }
        router.post("/sign-in") { request, _ in try await signIn(request) }
    }

    private var front: Response {
        HTMLPage(
            title: "Development identity provider: not for production",
            body: """
                <p>It stands in for Clerk while <code>tollgate dev</code> runs. Its key file signs in any user.</p>
                <p>Issuer: <code>\(HTMLPage.escaped(issuer))</code></p>
                <p>Keys: <a href="/.well-known/jwks.json">/.well-known/jwks.json</a></p>
                <p><a href="/sign-in">Sign in as a sample user</a></p>
                """
        ).response()
    }

    private func picker(redirectURL: String?) -> Response {
        let target = "<input type=\"hidden\" name=\"redirect_url\" value=\"\(HTMLPage.escaped(redirectURL ?? "/"))\">"
        let samples = SampleUser.all.map { user in
            """
            <li><form method="post" action="/sign-in">\(target)
            <input type="hidden" name="user" value="\(user.userID)">
            <input type="hidden" name="name" value="\(HTMLPage.escaped(user.name))">
            <button id="\(user.userID)">\(HTMLPage.escaped(user.name))</button> \(HTMLPage.escaped(user.story))
            </form></li>
            """
        }
        return HTMLPage(
            title: "Who do you want to be?",
            body: """
                <ul>\(samples.joined())</ul>
                <h2>Another user</h2>
                <form method="post" action="/sign-in">\(target)
                <p><label>User id <input name="user" value="user_abc" required maxlength="128"></label></p>
                <p><label>Name <input name="name" maxlength="200"></label></p>
                <p><label>Plan that the token claims <input name="plan"></label></p>
                <button id="sign-in">Sign in</button>
                </form>
                """
        ).response()
    }

    private func signIn(_ request: Request) async throws -> Response {
        let form = String(buffer: try await request.body.collect(upTo: 16_384))
        guard let user = SignedInUser(form: form) else {
            return HTMLPage(
                title: "That is no user id",
                body: "<p>It takes up to 128 letters, digits and <code>_ - . : @ | + =</code>, such as "
                    + "<code>user_abc</code>. <a href=\"/sign-in\">Again</a></p>"
            ).response(status: .badRequest)
        }
        let target = SignedInUser.fields(of: form)["redirect_url"].flatMap(Loopback.page) ?? "/"
        var response = Response.seeOther(target)
        response.headers[.setCookie] = user.cookie
        return response
    }
}

extension Loopback {
    /// `url` when it leads to a page of this machine or of this server, else nil.
    static func page(_ url: String) -> String? {
        let isOwnPath = url.hasPrefix("/") && !url.hasPrefix("//") && !url.hasPrefix("/\\")
        return isOwnPath || url.hasPrefix("http://127.0.0.1:") || url.hasPrefix("http://localhost:") ? url : nil
    }
}
