"""What the answers tell a browser about the pages."""
from api import Answer, request
from case import BrowserTest


class PageHeaders(BrowserTest):
    def policy(self, answer: Answer) -> dict[str, list[str]]:
        directives = answer.headers["content-security-policy"].split(";")
        return {name: values for name, *values in map(str.split, directives)}

    def check_page(self, answer: Answer, trusted: set[str]) -> None:
        """A page that runs its own scripts and those of the trusted origins, and stands in no other page's frame."""
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        policy = self.policy(answer)
        self.assertEqual(policy["default-src"], ["'none'"])
        self.assertEqual(policy["frame-ancestors"], ["'none'"])
        self.assertEqual(policy["base-uri"], ["'none'"])
        self.assertEqual(set(policy["script-src"]), {"'self'"} | trusted)
        self.assertEqual(set(policy["connect-src"]), {"'self'"} | trusted)
        self.assertEqual(policy["style-src"], ["'self'"])
        self.assertEqual(set(policy["img-src"]), {"'self'", "data:"})
        self.assertNotIn("unsafe", answer.headers["content-security-policy"])

    def test_dashboard_trusts_itself_and_the_identity_provider(self) -> None:
        identity = self.development.identity
        # A publishable key names a host, which a browser may reach by https as well.
        self.check_page(self.development.call("GET", "/dashboard"), {identity, identity.replace("http:", "https:")})

    def test_overview_trusts_itself_alone(self) -> None:
        self.check_page(request("GET", f"{self.development.admin}/overview"), set())

    def test_overview_is_not_on_the_public_port(self) -> None:
        self.assertEqual(self.development.call("GET", "/overview").status, 404)

    def test_files_are_typed_and_asked_for_again_at_no_cost(self) -> None:
        for name, kind in {"tollgate.css": "text/css", "dashboard.js": "text/javascript"}.items():
            url = f"{self.development.gateway}/dashboard/{name}"
            first = request("GET", url)
            self.assertEqual(first.status, 200, name)
            self.assertEqual(first.headers["content-type"], f"{kind}; charset=utf-8")
            self.assertEqual(first.headers["x-content-type-options"], "nosniff")
            again = request("GET", url, {"If-None-Match": first.headers["etag"]})
            self.assertEqual((again.status, again.text), (304, ""))
