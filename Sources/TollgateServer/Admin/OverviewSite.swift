import HTTPTypes
import Hummingbird

/// The operator's page, `/overview`, and the files that it loads. What it shows, it asks for at `/overview.json`.
struct OverviewSite: Sendable {
    private let page = WebAsset("overview.html", PackageResources.overview_html, policy: ContentSecurityPolicy())

    private let files = [
        WebAsset("tollgate.css", PackageResources.tollgate_css),
        WebAsset("overview.js", PackageResources.overview_js),
    ]

    func register(in router: Router<BasicRequestContext>) {
        router.get("/") { _, _ in Response(status: .seeOther, headers: [.location: "/overview"]) }
        router.get("/overview") { request, _ in page.response(to: request) }
        for file in files {
            router.get(RouterPath("/overview/\(file.name)")) { request, _ in file.response(to: request) }
        }
    }
}
