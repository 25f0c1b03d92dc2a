import HTTPTypes
import Hummingbird
import JSONValue

/// The operator's page, `/overview`, and the files that it loads. What it shows, it asks for at `/overview.json`.
struct OverviewSite: Sendable {
    private let page = WebAsset("overview.html", PackageResources.overview_html, policy: ContentSecurityPolicy())

    private let files = [
        WebAsset("tollgate.css", PackageResources.tollgate_css),
        WebAsset("actions.js", PackageResources.actions_js),
        WebAsset("adminapi.js", PackageResources.adminapi_js),
        WebAsset("alerts.js", PackageResources.alerts_js),
        WebAsset("api.js", PackageResources.api_js),
        WebAsset("audit.js", PackageResources.audit_js),
        WebAsset("dialogs.js", PackageResources.dialogs_js),
        WebAsset("directory.js", PackageResources.directory_js),
        WebAsset("dom.js", PackageResources.dom_js),
        WebAsset("events.js", PackageResources.events_js),
        WebAsset("explanation.js", PackageResources.explanation_js),
        WebAsset("fleet.js", PackageResources.fleet_js),
        WebAsset("format.js", PackageResources.format_js),
        WebAsset("keysearch.js", PackageResources.keysearch_js),
        WebAsset("notices.js", PackageResources.notices_js),
        WebAsset("outcome.js", PackageResources.outcome_js),
        WebAsset("overview.js", PackageResources.overview_js),
        WebAsset("pages.js", PackageResources.pages_js),
        WebAsset("panels.js", PackageResources.panels_js),
        WebAsset("poller.js", PackageResources.poller_js),
        WebAsset("requests.js", PackageResources.requests_js),
        WebAsset("rows.js", PackageResources.rows_js),
        WebAsset("settings.js", PackageResources.settings_js),
        WebAsset("terms.js", PackageResources.terms_js),
        WebAsset("tokens.js", PackageResources.tokens_js),
        WebAsset("usageexport.js", PackageResources.usageexport_js),
        WebAsset("userkeys.js", PackageResources.userkeys_js),
    ]

    func register(in router: Router<AdminRequestContext>) {
        router.get("/") { _, _ in Response(status: .seeOther, headers: [.location: "/overview"]) }
        router.get("/overview") { request, _ in page.response(to: request) }
        for file in files {
            router.get(RouterPath("/overview/\(file.name)")) { request, _ in file.response(to: request) }
        }
    }
}
