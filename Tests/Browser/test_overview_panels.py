"""The overview's sections that are loaded when one opens them. What has come of a click is asked of the API or Redis."""
import contextlib
import json
import time
from collections.abc import Iterator

from selenium.webdriver.support.select import Select

from api import request
from dashboard import OwnDevelopment
from overview import OverviewTest
from tabbing import check_tab_stops
from waiting import eventually
from worker import running_worker


class Directory(OverviewTest):
    def ids(self) -> list[str]:
        return self.texts("#directory-list a")

    def known(self, query: str) -> list[str]:
        """As the API lists them."""
        return [each["userId"] for each in self.admin("GET", f"users?{query}")["users"]]

    def test_all_users_by_pages_and_those_in_a_state(self) -> None:
        users = [self.new_user() for _ in range(60)]
        for user in users:
            self.admin("POST", f"users/{user}/grants", {"calls": 1})
        self.admin("POST", f"users/{users[7]}/block", {"reason": "abuse"})
        self.open_overview()
        self.open_panel("directory")
        eventually("the first page", lambda: self.ids() == self.known("limit=50"))
        self.click("#directory-more", "More")
        eventually("and the second", lambda: set(users) <= set(self.ids()))
        self.assertEqual(self.ids(), self.known("limit=1000")[:len(self.ids())])
        Select(self.see("#directory-state")).select_by_visible_text("blocked")
        self.click("#directory-submit")
        eventually("the blocked ones", lambda: self.ids() == self.known("state=blocked"))
        self.assertIn(users[7], self.ids())
        self.check_state("overview-directory")
        self.click("#directory-list a", users[7])
        self.reads("#explained-user", users[7])


class Requests(OverviewTest):
    def test_of_a_user_and_by_its_id(self) -> None:
        user = self.new_user()
        token = self.development.token(user)
        self.make_calls(token, 5)
        refused = self.development.call("POST", "/verify-auth", token)
        self.open_overview()
        self.open_panel("requests")
        self.fill_in("#requests-user", user)
        self.click("#requests-submit")
        eventually("the user's", lambda: len(self.shown("#request-list tr")) == 6)
        self.check_state("overview-requests")
        self.fill_in("#requests-user", "")
        self.fill_in("#requests-id", refused.headers["x-request-id"])
        self.click("#requests-submit")
        eventually("the one", lambda: len(self.shown("#request-list tr")) == 1)
        self.see("#request-list tr", "quota-exceeded")
        self.see("#request-list tr", "403")


class Settings(OverviewTest):
    def test_what_is_in_force_and_no_secret(self) -> None:
        self.open_overview()
        self.open_panel("settings")
        names = [each["name"] for each in self.admin("GET", "config")["settings"]]
        self.assertEqual(self.texts("#setting-list th"), names)
        self.see("#setting-list tr", "TOLLGATE_ADMIN_AUTH")
        self.assertNotIn("sk_test_", self.text("#setting-list"))
        self.check_state("overview-settings")


class Audit(OverviewTest):
    def test_newest_first_and_older_ones_by_pages(self) -> None:
        user = self.new_user()
        for number in range(60):
            self.admin("POST", f"users/{user}/block", {"reason": f"reason {number}"})
        self.open_overview()
        self.open_panel("audit")
        self.assertEqual(len(self.shown("#audit-list tr")), 50)
        first = self.texts("#audit-list tr")[0]
        for word in ("admin-port", "users.block", user, "reason 59"):
            self.assertIn(word, first)
        self.click("#audit-more", "Older")
        self.see("#audit-list tr", "reason 0")
        self.assertGreaterEqual(len(self.shown("#audit-list tr")), 60)
        self.click("#audit-list a", user)
        self.reads("#explained-user", user)

    def test_what_is_done_on_the_page_is_added(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user), 1)
        self.open_user(user)
        self.open_panel("audit")
        Select(self.see("#action")).select_by_value("reset")
        self.click("#action-submit")
        self.see("#audit-list tr:first-child", "users.reset")
        self.see("#audit-list tr:first-child", user)
        self.check_state("overview-audit")


class Reconciliation(OverviewTest):
    def test_a_worker_compares_all_with_stripe(self) -> None:
        self.open_overview()
        self.open_panel("events")
        self.click("#reconcile", "Compare all with Stripe")
        self.see("#events-result", "within half a minute")
        self.assertTrue(self.admin("GET", "reconciliation")["askedAt"])
        self.assertEqual(self.admin("GET", "audit")["entries"][0]["action"], "reconcile")


class UsageExport(OverviewTest):
    def test_a_month_is_downloaded(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user), 3)
        self.open_overview()
        self.open_panel("usage")
        month = time.strftime("%Y-%m", time.gmtime())
        self.assertEqual(self.see("#usage-month").get_property("value"), month)

        def is_counted() -> bool:
            with self.downloads() as directory:
                self.click("#usage-submit", "Download CSV")
                lines = self.downloaded(directory, f"usage-{month}.csv").splitlines()
            self.assertEqual(lines[0], "user,day,route,calls,refused,code")
            return any(line.startswith(f"{user},{month}-") and ",3,0," in line for line in lines)

        # Counts by route and day are told in the background.
        eventually("the calls are in it", is_counted)
        self.reads("#usage-result", "Your browser saves the file.")

    def test_another_month(self) -> None:
        self.open_overview()
        self.open_panel("usage")
        month = self.browser.script("return document.getElementById('usage-month').options[13].value")
        Select(self.see("#usage-month")).select_by_value(month)
        with self.downloads() as directory:
            self.click("#usage-submit")
            self.assertEqual(self.downloaded(directory, f"usage-{month}.csv").splitlines(),
                             ["user,day,route,calls,refused,code"])


class Events(OverviewTest):
    expected_in_console = (r"/events/.*/replay .* 404",)

    def event(self) -> str:
        """Of a subscription, carried out already."""
        user = self.new_user()
        known = set(self.development.redis("KEYS", "webhook:stripe:*").split())
        self.buy(self.development.token(user))
        new = eventually("events have come",
                         lambda: set(self.development.redis("KEYS", "webhook:stripe:*").split()) - known)
        return sorted(new)[0].removeprefix("webhook:stripe:").strip("{}")

    def test_one_that_waits_is_replayed(self) -> None:
        event = self.event()
        self.development.redis("ZADD", "webhooks:waiting", str(int(time.time())), event)
        self.open_overview()
        self.open_panel("events")
        self.see("#stripe-event-list tr", f"{event} waiting")
        self.check_state("overview-events")
        self.press_button("#stripe-event-list button", f"Replay {event}")
        self.see("#events-result", event)
        self.see("#stripe-event-empty", "No event waits")
        self.assertEqual(self.development.redis("ZSCORE", "webhooks:waiting", event), "")
        entry = self.admin("GET", "audit?limit=1")["entries"][0]
        self.assertEqual((entry["action"], entry["subject"]), ("events.replay", event))

    def test_one_is_replayed_by_its_id(self) -> None:
        event = self.event()
        self.open_overview()
        self.open_panel("events")
        self.fill_in("#replay-id", event)
        self.click("#replay-submit")
        self.see("#events-result", event)
        self.assertEqual(self.admin("GET", "audit?limit=1")["entries"][0]["subject"], event)
        self.fill_in("#replay-id", "evt_nothing")
        self.click("#replay-submit")
        self.see("#events-result", "Stripe has no such event")


class Alerts(OverviewTest):
    def give_up(self, *ids: str) -> None:
        """Puts alerts into the outbox that no receiver took."""
        for number, each in enumerate(ids):
            entry = {"type": "quota.threshold", "user": "user_abc", "since": "2026-11-01T00:00:00Z", "attempts": 9,
                     "failure": "status 500 <b>", "body": "{}"}
            self.development.redis("HSET", "alerts:{webhook}", each, json.dumps(entry))
            self.development.redis("ZADD", "alerts:{webhook}:dead", str(int(time.time()) * 1000 + number), each)
        self.addCleanup(self.development.redis, "DEL", "alerts:{webhook}", "alerts:{webhook}:dead", "alerts:{webhook}:due")

    def standing(self, name: str) -> list[str]:
        return self.development.redis("ZRANGE", f"alerts:{{webhook}}:{name}", "0", "-1").split()

    def test_one_and_then_all_are_sent_again(self) -> None:
        self.open_overview()
        self.open_panel("alerts")
        self.see("#alert-empty", "No alert was given up.")
        self.click("#alerts-panel summary")
        self.see_no("#alerts-body")
        self.give_up("msg_1", "msg_2", "msg_3")
        self.open_panel("alerts")
        row = self.see("#alert-list tr", "msg_2").text
        self.assertIn("user_abc", row)
        self.assertIn("status 500 <b>", row)
        self.check_state("overview-alerts")
        self.press_button("#alert-list button", "Replay msg_2")
        self.see("#alerts-result", "msg_2 is sent again.")
        eventually("it is gone", lambda: len(self.shown("#alert-list tr")) == 2)
        self.assertEqual((self.standing("dead"), self.standing("due")), (["msg_1", "msg_3"], ["msg_2"]))
        self.click("#replay-alerts")
        self.see("#alerts-result", "2 are sent again.")
        self.see("#alert-empty")
        self.assertEqual(self.standing("dead"), [])


class Tokens(OverviewTest):
    """On a worker that takes tokens. The page is the one of `tollgate dev`, which takes none."""

    expected_in_console = (r"/admin/v1/tokens .* 40[09]",)

    def test_one_is_made_shown_once_and_revoked(self) -> None:
        with running_worker(self.development, TOLLGATE_ADMIN_AUTH="token") as worker:
            def status(token: str) -> int:
                return request("GET", f"{worker.admin}/admin/v1/audit", {"Authorization": f"Bearer {token}"}).status

            self.open_overview()
            self.open_panel("tokens")
            self.fill_in("#token-name", "ann")
            Select(self.see("#token-role")).select_by_visible_text("support")
            self.fill_in("#token-days", "90")
            self.click("#token-submit")
            self.see("#secret-title", "The token of ann, support")
            token = self.copied_secret()
            self.assertEqual(status(token), 200)
            row = self.see("#token-list tr", "ann").text
            self.assertIn("support", row)
            self.check_state("overview-tokens")
            kept = self.admin("GET", "tokens")["tokens"]
            self.assertIsNotNone(next(each for each in kept if each["name"] == "ann")["expiresAt"])
            self.press_button("#token-list button", "Revoke ann")
            self.confirm("Revoke the token of ann?")
            self.reads("#tokens-result", "The token of ann is revoked.")
            eventually("it is gone", lambda: "ann" not in self.text("#tokens-body").split())
            self.assertEqual(status(token), 401)

    def test_the_api_says_what_is_wrong(self) -> None:
        self.admin("POST", "tokens", {"name": "bob", "role": "viewer"})
        self.addCleanup(self.admin, "DELETE", "tokens/bob")
        self.open_overview()
        self.open_panel("tokens")
        self.click("#token-submit")
        self.see("#tokens-result", "'name' takes")
        self.fill_in("#token-name", "bob")
        self.click("#token-submit")
        self.see("#tokens-result", "There is a token of that name already.")
        self.fill_in("#token-days", "soon")
        self.click("#token-submit")
        self.see("#tokens-result", "'expiresInDays'")


class SignedIn(OverviewTest):
    """On a worker that takes tokens, with one that the browser sends as its user's password."""

    expected_in_console = ("status of 40[13]", r"40[13] \((Unauthorized|Forbidden)\)")

    @contextlib.contextmanager
    def signed_in(self, name: str, role: str) -> Iterator[None]:
        token = self.admin("POST", "tokens", {"name": name, "role": role})["token"]
        self.addCleanup(request, "DELETE", f"{self.development.admin}/admin/v1/tokens/{name}")
        with running_worker(self.development, TOLLGATE_ADMIN_AUTH="token") as worker:
            self.browser.driver.get(f"{worker.admin.replace('://', f'://{name}:{token}@')}/overview")
            self.see("#overview")
            yield

    def test_a_viewer_is_told_what_takes_another_role(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user), 1)
        with self.signed_in("vic", "viewer"):
            self.reads("#operator", "vic, viewer")
            self.open_panel("audit")
            self.click("#tokens-panel summary")
            self.reads("#tokens-error", "This takes the role admin, and the token 'vic' has viewer.")
            self.see_no("#tokens-body", timeout=0)
            self.search(user)
            self.reads("#explained-user", user)
            Select(self.see("#action")).select_by_value("reset")
            self.click("#action-submit")
            self.reads("#action-result", "This takes the role support, and the token 'vic' has viewer.")
            self.click("#export-user")
            self.reads("#user-result", "This takes the role support, and the token 'vic' has viewer.")
            self.check_state("overview-viewer")

    def test_nothing_is_shown_once_the_token_is_revoked(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user), 1)
        with self.signed_in("ada", "admin"):
            self.search(user)
            self.reads("#explained-user", user)
            self.open_panel("audit")
            self.click("#delete-user")
            self.see("#confirm-dialog")
            self.admin("DELETE", "tokens/ada")
            self.reads("#gate-title", "Sign in again")
            self.see_no("#overview, #header, dialog", timeout=0)
            self.assertNotIn(user, self.browser.script("return document.body.innerText"))
            self.check_state("overview-signed-out")


class Panels(OwnDevelopment, OverviewTest):
    expected_in_console = ("net::ERR_BLOCKED",)

    def test_tab_stops(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user), 1)
        self.admin("POST", f"users/{user}/keys", {"name": "ci"})
        self.admin("POST", f"users/{user}/grants", {"calls": 3})
        self.open_user(user)
        for name in ("directory", "requests", "audit", "usage", "events", "alerts", "tokens", "settings"):
            # A click would begin the way of the Tab key there.
            self.browser.script("document.getElementById(arguments[0]).open = true", f"{name}-panel")
            self.see(f"#{name}-body")
        self.see("#key-list tr")
        self.see("#user-list a", user)
        check_tab_stops(self)

    def test_one_that_cannot_be_loaded_says_so_and_shows_nothing_old(self) -> None:
        self.open_overview()
        self.open_panel("audit")
        self.browser.command("Network.enable")
        self.browser.command("Network.setBlockedURLs", urls=["*/admin/v1/audit*"])
        self.click("#audit-panel summary")
        self.click("#audit-panel summary")
        self.see("#audit-error", "The worker does not answer.")
        self.see_no("#audit-body", timeout=0)
        self.browser.command("Network.setBlockedURLs", urls=[])
