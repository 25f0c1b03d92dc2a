"""What an operator does about a user by the overview. What has come of it is asked of the API."""
import json

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from api import request
from overview import OverviewTest
from waiting import eventually

_MARKUP = "<img src=x onerror=alert(1)>"


class UserTest(OverviewTest):
    def decide(self, action: str, **fields: str) -> None:
        Select(self.see("#action")).select_by_value(action)
        for name, text in fields.items():
            self.fill_in(f"#action-{name}", text)
        self.click("#action-submit", "Do it")

    def check_done(self) -> None:
        self.reads("#action-result", "Done.")

    def decided(self, user: str) -> dict:
        """What stands of a user's terms."""
        return self.admin("GET", f"users/{user}")["operator"]

    def new_caller(self, calls: int = 1, plan: str = "") -> str:
        user = self.new_user()
        self.make_calls(self.development.token(user, plan or None), calls)
        return user

    def call_with(self, key: str) -> tuple[int, str]:
        answer = self.development.call("POST", "/verify-auth", key=key)
        return answer.status, answer.json.get("code", "")

    def new_key(self, user: str, name: str) -> dict:
        return self.admin("POST", f"users/{user}/keys", {"name": name})


class Decisions(UserTest):
    def test_what_an_operator_decides(self) -> None:
        user = self.new_user()
        token = self.development.token(user)
        self.make_calls(token, 5)
        self.open_user(user)
        self.reads("#month", "5 / 5")
        self.decide("grant", calls="7", reason="sorry")
        self.check_done()
        self.reads("#month", "5 / 12")
        self.reads("#next-call", "Next call admitted")
        self.decide("block", reason="unpaid bill")
        self.reads("#next-call", "Next call refused")
        self.see("#next-call-message", "unpaid bill")
        answer = self.development.call("POST", "/verify-auth", token)
        self.assertEqual((answer.status, answer.json["code"]), (403, "user-blocked"))
        self.see("#terms-list tr", "7 calls more sorry")
        self.see("#terms-list tr", "Blocked unpaid bill")
        self.check_state("overview-decides")
        self.decide("unblock")
        self.reads("#next-call", "Next call admitted")
        self.assertIsNone(self.decided(user)["block"])
        self.decide("reset")
        self.reads("#month", "0 / 12")
        self.assertEqual(self.development.usage_count(token), 0)

    def test_limits_are_shown_and_taken_back(self) -> None:
        user = self.new_caller()
        self.open_user(user)
        self.see("#terms-empty", "the plan's limits count")
        self.decide("limit", quota="9", ratePerMinute="30", until="2099-12-31", reason="a trial")
        self.check_done()
        self.assertEqual(self.decided(user)["limits"], {
            "plan": None, "quota": 9, "ratePerMinute": 30, "until": "2100-01-01T00:00:00Z", "reason": "a trial"})
        row = self.see("#terms-list tr", "9 calls in a period, 30 a minute").text
        self.assertIn("a trial", row)
        self.assertIn("2100", row)
        self.reads("#month", "1 / 9")
        self.press_button("#terms-list button", "Take back the limit")
        self.see("#terms-result", "The limit is taken back.")
        self.see("#terms-empty")
        self.reads("#month", "1 / 5")
        self.assertIsNone(self.decided(user)["limits"])

    def test_one_grant_of_two_is_taken_back(self) -> None:
        user = self.new_caller()
        for count in (3, 40):
            self.admin("POST", f"users/{user}/grants", {"calls": count})
        self.open_user(user)
        self.reads("#month", "1 / 48")
        self.press_button("#terms-list button", "Take back the grant of 40 calls")
        self.reads("#month", "1 / 8")
        self.assertEqual([grant["calls"] for grant in self.decided(user)["grants"]], [3])
        self.assertEqual(len(self.shown("#terms-list tr")), 1)
        self.see("#terms-list tr", "3 calls more")

    def test_a_grant_for_each_period(self) -> None:
        user = self.new_caller()
        self.open_user(user)
        Select(self.see("#action")).select_by_value("grant")
        self.click("#action-every")
        self.decide("grant", calls="2")
        self.see("#terms-list tr", "2 calls more in each period")
        self.assertIsNone(self.decided(user)["grants"][0]["period"])

    def test_done_is_about_one_user_only(self) -> None:
        first, second = self.new_caller(), self.new_caller()
        self.open_user(first)
        self.decide("block", reason="abuse")
        self.check_done()
        self.fill_in("#action-reason", "left behind")
        self.search(second)
        self.reads("#explained-user", second)
        self.see_no("#action-result", timeout=0)
        self.assertEqual(self.value("#action"), "grant")
        self.assertEqual(self.value("#action-calls"), "")
        self.see("#terms-empty")

    def test_reasons_that_are_markup(self) -> None:
        user = self.new_caller()
        self.admin("POST", f"users/{user}/block", {"reason": _MARKUP})
        self.new_key(user, _MARKUP)
        self.open_user(user)
        self.see("#terms-list tr", _MARKUP)
        self.see("#key-list tr", _MARKUP)
        self.click("#key-list [data-action=revoke]")
        self.see("#confirm-title", _MARKUP)
        self.click("#confirm-dialog [data-closes]", "Cancel")
        self.open_panel("audit")
        self.see("#audit-list tr", "src=x onerror")
        self.assertEqual(self.browser.script("return document.querySelectorAll('img, [onerror]').length"), 0)

    def test_a_user_is_exported(self) -> None:
        user = self.new_caller(3)
        self.open_user(user)
        with self.downloads() as directory:
            self.click("#export-user")
            saved = json.loads(self.downloaded(directory, f"{user}.json"))
        known = self.admin("GET", f"users/{user}/export")
        self.assertEqual((saved["userId"], saved["data"].keys()), (user, known["data"].keys()))
        self.assertTrue(saved["data"])


class DecisionsRefused(UserTest):
    expected_in_console = (r"/admin/v1/users/.* 4(00|04|09)",)

    def test_the_api_says_what_is_wrong(self) -> None:
        self.open_user(self.new_caller())
        self.decide("grant", calls="many")
        self.see("#action-result", "'calls' takes")
        self.decide("limit")
        self.see("#action-result", "Give at least one of 'plan', 'quota' and 'ratePerMinute'.")
        self.decide("block")
        self.see("#action-result", "Fill in: Reason")

    def test_no_other_user_is_seen_while_one_is_loaded(self) -> None:
        """What is decided then is about the one who was asked for."""
        first, second = self.new_caller(), self.new_caller()
        self.open_user(first)
        self.browser.command("Network.enable")
        self.browser.command("Network.emulateNetworkConditions", offline=False, latency=5000, downloadThroughput=-1,
                             uploadThroughput=-1)
        self.search(second)
        self.see_no("#explanation", timeout=2)
        self.browser.command("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                             uploadThroughput=-1)
        self.reads("#explained-user", second)

    def test_a_user_is_deleted_by_their_name(self) -> None:
        user = self.new_caller()
        key = self.new_key(user, "ci")["key"]
        self.open_user(user)
        self.click("#delete-user")
        self.see("#confirm-title", f"Delete {user}?")
        self.fill_in("#confirm-typed", "user_paid")
        self.click("#confirm-submit", "Delete")
        self.reads("#confirm-error", f"That is not {user}.")
        self.check_state("overview-deletes")
        self.assertEqual(self.call_with(key)[0], 200)
        self.fill_in("#confirm-typed", user)
        self.click("#confirm-submit")
        self.reads("#search-result", f"{user} is deleted.")
        self.see_no("#explanation")
        self.assertEqual(self.browser.script("return document.activeElement.id"), "user-id")
        self.assertEqual(self.call_with(key)[0], 401)
        self.assertEqual(request("GET", f"{self.development.admin}/admin/v1/users/{user}").status, 404)
        self.search(user)
        self.see("#search-error", "No user of this id has called")
        self.see_no("#search-result")

    def test_a_subscriber_is_deleted_by_force_only(self) -> None:
        user = self.new_user()
        token = self.development.token(user)
        self.make_calls(token, 1)
        self.buy(token)
        self.open_user(user)
        self.click("#delete-user")
        self.fill_in("#confirm-typed", user)
        self.see_no("#confirm-force", timeout=0)
        self.click("#confirm-submit")
        self.see("#confirm-error", "The user has a subscription")
        self.admin("GET", f"users/{user}")
        self.click("#confirm-force")
        self.click("#confirm-submit")
        self.reads("#search-result", f"{user} is deleted.")
        self.assertEqual(self.development.redis("EXISTS", f"subscription:{{{user}}}"), "0")


class UserKeys(UserTest):
    def test_one_key_of_two_is_revoked(self) -> None:
        user = self.new_caller()
        leaked, other = self.new_key(user, "leaked"), self.new_key(user, "other")
        self.assertEqual(self.call_with(leaked["key"])[0], 200)
        self.open_user(user)
        row = self.see("#key-list tr", "leaked").text
        self.assertIn(leaked["id"], row)
        self.assertIn("active", row)
        self.see("#key-list tr", "never")
        self.check_state("overview-keys")
        self.press_button("#key-list button", "Revoke leaked")
        self.confirm(f"Revoke “leaked” of {user}?")
        self.reads("#keys-result", "“leaked” is revoked.")
        eventually("one is left", lambda: len(self.shown("#key-list tr")) == 1)
        self.assertEqual(self.browser.script("return document.activeElement.id"), "keys-title")
        self.assertEqual(self.call_with(leaked["key"]), (401, "key-revoked"))
        self.assertEqual(self.call_with(other["key"])[0], 200)

    def test_by_keyboard(self) -> None:
        user = self.new_caller()
        key = self.new_key(user, "ci")["key"]
        self.open_user(user)
        self.see("#key-list tr", "ci")
        revoke = self.tab_to("#key-list [data-action=revoke]")
        self.press(Keys.ENTER)
        self.see("#confirm-dialog")
        self.assertEqual(self.browser.script("return document.activeElement.id"), "confirm-submit")
        self.press(Keys.ESCAPE)
        self.see_no("#confirm-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element, revoke)
        self.assertEqual(self.call_with(key)[0], 200)
        self.press(Keys.ENTER)
        self.see("#confirm-dialog")
        self.press(Keys.ENTER)
        self.see("#key-empty")
        self.assertEqual(self.call_with(key), (401, "key-revoked"))

    def test_a_key_is_made_and_rotated(self) -> None:
        user = self.new_caller()
        self.open_user(user)
        self.see("#key-empty", "The user has no keys.")
        self.fill_in("#new-key-name", "ci")
        self.click("#new-key-submit")
        self.see("#secret-title", f"“ci” of {user}")
        self.check_state("overview-secret")
        first = self.copied_secret()
        self.assertEqual(self.call_with(first)[0], 200)
        self.see("#key-list tr", "ci")
        self.press_button("#key-list button", "Rotate ci")
        self.confirm(f"Rotate “ci” of {user}?")
        second = self.copied_secret()
        self.assertNotEqual(first, second)
        self.assertEqual([self.call_with(first), self.call_with(second)], [(200, ""), (200, "")])
        kept = self.admin("GET", f"users/{user}/keys")["keys"]
        self.assertIsNotNone(kept[0]["previousUntil"])


class KeySearch(UserTest):
    expected_in_console = (r"/admin/v1/(keys/owner|users/.*) .* 404",)

    def address(self) -> str:
        return self.browser.driver.current_url

    def test_a_key_leads_to_its_user_and_is_marked(self) -> None:
        user = self.new_caller()
        made, _ = self.new_key(user, "ci"), self.new_key(user, "other")
        for text in (made["id"], made["key"]):
            self.open_overview()
            self.search(text)
            self.reads("#explained-user", user)
            self.reads("#found-key", "The key that was searched for is “ci”.")
            self.assertEqual(len(self.shown("#key-list .badge")), 1)
            self.see("#key-list tr:has(.badge:not([hidden]))", "ci")
            self.assertTrue(self.address().endswith(f"#user={user}"), self.address())
        self.check_state("overview-key-searched-for")
        other = self.new_caller()
        self.search(other)
        self.reads("#explained-user", other)
        self.see_no("#found-key", timeout=0)

    def test_a_key_that_was_revoked_or_rotated(self) -> None:
        user = self.new_caller()
        revoked, rotated = self.new_key(user, "ended"), self.new_key(user, "turned")
        self.admin("DELETE", f"users/{user}/keys/{revoked['id']}")
        self.admin("POST", f"users/{user}/keys/{rotated['id']}/rotate", {"overlapSeconds": 60})
        self.open_overview()
        self.search(revoked["key"])
        self.see("#found-key", f"{revoked['id']}, was revoked")
        self.search(rotated["key"])
        self.see("#found-key", "is not its present secret")
        self.see("#key-list tr:has(.badge:not([hidden]))", "turned")

    def test_a_key_that_nobody_has(self) -> None:
        user = self.new_caller()
        key = self.new_key(user, "ci")["key"]
        self.admin("DELETE", f"users/{user}")
        self.open_user(self.new_caller())
        self.search("key_01h00000000000000000000000")
        self.see("#search-error", "No key of this id is known here.")
        self.see_no("#explanation", timeout=0)
        for text in ("sk_live_nonsense", key[:-1], key):
            self.search(text)
            self.see("#search-error", "No such key is known here.")
            self.assertNotIn(text, self.address())
        self.search("user_nobody")
        self.see("#search-error", "No user of this id")
