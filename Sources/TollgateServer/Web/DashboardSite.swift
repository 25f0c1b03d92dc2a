import HTTPTypes
import Hummingbird
import TollgateConfiguration

/// The customers' own page, `/dashboard`, and the files that it loads. They hold nothing of any customer: what the page
/// shows, it asks for with the customer's token.
struct DashboardSite: Sendable {
    private static let path = "/dashboard"

    private let page: WebAsset
    private let files: [WebAsset]

    init(signIn: DashboardSettings.SignIn?) {
        page = WebAsset(
            "dashboard.html", PackageResources.dashboard_html,
            policy: ContentSecurityPolicy(trustedOrigins: signIn?.origins ?? []),
            values: ["clerkKey": signIn?.publishableKey ?? "", "clerkScript": signIn?.scriptURL ?? ""])
        files = Self.files
    }

    var endpoints: [EndpointTable.Endpoint] {
        [.init(method: .get, path: Self.path, hasCORS: false) { request, _ in page.response(to: request) }]
            + files.map { file in
                .init(method: .get, path: "\(Self.path)/\(file.name)", hasCORS: false) { request, _ in
                    file.response(to: request)
                }
            }
    }

    private static var files: [WebAsset] {
        [
            WebAsset("tollgate.css", PackageResources.tollgate_css),
            WebAsset("api.js", PackageResources.api_js),
            WebAsset("billing.js", PackageResources.billing_js),
            WebAsset("chart.js", PackageResources.chart_js),
            WebAsset("dashboard.js", PackageResources.dashboard_js),
            WebAsset("dom.js", PackageResources.dom_js),
            WebAsset("format.js", PackageResources.format_js),
            WebAsset("keydialogs.js", PackageResources.keydialogs_js),
            WebAsset("keys.js", PackageResources.keys_js),
            WebAsset("notices.js", PackageResources.notices_js),
            WebAsset("poller.js", PackageResources.poller_js),
            WebAsset("session.js", PackageResources.session_js),
            WebAsset("snippets.js", PackageResources.snippets_js),
            WebAsset("usage.js", PackageResources.usage_js),
        ]
    }
}
