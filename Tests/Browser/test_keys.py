"""Secret keys: made, shown once, used, rotated, revoked."""
import datetime
import subprocess
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from browser import NARROW
from dashboard import DashboardTest
from waiting import eventually


class KeyTest(DashboardTest):
    def create_key(self, name: str, **form: str) -> str:
        """The secret, which is still shown afterwards."""
        self.click("#create-key", "Create key")
        self.fill(name, **form)
        self.click("#create-submit")
        return self.see("#secret", "sk_").text

    def fill(self, name: str, scopes: str | None = None, expiry: str = "", mode: str = "live") -> None:
        self.see("#key-name").clear()
        self.see("#key-name").send_keys(name)
        if scopes is not None:
            self.see("#key-scopes").clear()
            self.see("#key-scopes").send_keys(scopes)
        Select(self.see("#key-expiry")).select_by_value(expiry)
        self.click(f"#create-dialog [name=mode][value={mode}]")

    def close_secret(self) -> None:
        self.click("#secret-done", "Done")
        self.see_no("#secret-dialog")

    def row(self, name: str) -> WebElement:
        return self.see("#key-list tr", name)

    def row_button(self, name: str, action: str) -> WebElement:
        button = next(each for each in self.row(name).find_elements(By.CSS_SELECTOR, "button")
                      if each.text.startswith(action))
        self.assertEqual(button.accessible_name, f"{action} {name}")
        return button

    def make_key(self, token: str, name: str) -> Any:
        """Beside the page."""
        answer = self.development.call("POST", "/keys", token, body={"name": name})
        self.assertEqual(answer.status, 201, answer.text)
        self.refresh()
        return answer.json

    def check_works(self, key: str) -> None:
        answer = self.development.call("POST", "/verify-auth", key=key)
        self.assertEqual(answer.status, 200, answer.text)

    def check_refused(self, key: str, code: str) -> None:
        answer = self.development.call("POST", "/verify-auth", key=key)
        self.assertEqual((answer.status, answer.json["code"]), (401, code))

    def focused_id(self) -> str:
        return self.browser.script("return document.activeElement.id")

    def whole_page(self) -> str:
        """Everything in it, what stands in its fields as well."""
        return self.browser.script(
            "return document.documentElement.outerHTML"
            " + [...document.querySelectorAll('input, textarea')].map(({value}) => value).join()")


class CreateKey(KeyTest):
    def test_secret_is_shown_once_and_works(self) -> None:
        self.new_customer()
        self.see("#keys-empty", "You have no secret keys yet.")
        self.see_no("#key-table")
        secret = self.create_key("build server")
        self.assertEqual(self.focused_id(), "secret-copy")
        self.see("#secret-dialog", "It is shown this once")
        self.check_works(secret)
        self.check_state("secret-shown")
        self.close_secret()
        self.assertNotIn(secret, self.whole_page())
        self.assertEqual(self.focused_id(), "create-key")
        self.row("build server")
        self.see_no("#keys-empty")
        self.browser.driver.refresh()
        self.row("build server")
        self.assertNotIn(secret, self.whole_page())

    def test_curl_command_with_the_secret_runs(self) -> None:
        self.new_customer()
        secret = self.create_key("laptop")
        self.allow_clipboard()
        self.click("#secret-copy")
        self.see("#secret-copy", "Copied")
        self.assertEqual(self.clipboard(), secret)
        self.click("[data-copies=secret-curl]")
        self.see("[data-copies=secret-curl]", "Copied")
        command = self.clipboard()
        self.assertIn(secret, command)
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
        self.assertIn('"success":true', run.stdout, run.stderr)
        self.close_secret()
        self.refresh()
        self.reads("#usage", "1 / 5")
        cell = self.row("laptop").find_element(By.CSS_SELECTOR, "[data-label='Last used']")
        eventually("the key's use shows", lambda: "never" not in cell.text)

    def test_scopes_expiry_and_mode_count(self) -> None:
        token = self.new_customer()
        secret = self.create_key("reporting", scopes="orders:read, orders:write", expiry="30", mode="test")
        self.assertTrue(secret.startswith("sk_test_"), secret[:8])
        self.close_secret()
        row = self.row("reporting")
        self.assertIn("test", row.text)
        self.assertIn("orders:read", row.text)
        [key] = self.account(token)["keys"]
        self.assertEqual((key["mode"], key["scopes"]), ("test", ["orders:read", "orders:write"]))
        created, expires = (datetime.datetime.fromisoformat(key[name]) for name in ("createdAt", "expiresAt"))
        self.assertEqual((expires - created).days, 30)
        self.assertIn(f"{expires:%b} {expires.day}, {expires.year}", row.text)
        self.check_state("keys-with-one")

    def test_dialog(self) -> None:
        self.new_customer()
        self.click("#create-key")
        self.see("#create-dialog", "Create a secret key")
        self.assertEqual(self.focused_id(), "key-name")
        self.check_state("create-key-dialog")
        self.click("#create-dialog [data-closes]", "Cancel")
        self.see_no("#create-dialog")
        self.assertEqual(self.focused_id(), "create-key")

    def test_escape_does_not_lose_a_secret_that_was_not_copied(self) -> None:
        self.new_customer()
        self.create_key("fleeting")
        self.browser.look(NARROW)
        self.press(Keys.ESCAPE)
        self.see("#secret-uncopied", "The key has not been copied.")
        self.check_in_view("#secret-uncopied")
        self.check_state("secret-not-copied")
        self.press(Keys.ESCAPE)
        self.see_no("#secret-dialog")

    def test_two_presses_make_one_key(self) -> None:
        token = self.new_customer()
        self.click("#create-key")
        self.fill("single")
        self.browser.script(
            "const button = document.getElementById('create-submit'); button.click(); button.click()")
        self.see("#secret", "sk_")
        self.close_secret()
        self.row("single")
        self.assertEqual(len(self.account(token)["keys"]), 1)


class CreateKeyRefused(KeyTest):
    expected_in_console = (r"/keys.* 400", r"/keys.* 409")

    def test_input_that_is_not_valid(self) -> None:
        token = self.new_customer()
        self.click("#create-key")
        self.click("#create-submit")
        self.see("#create-error", "name")
        self.assertEqual(self.focused_id(), "key-name")
        self.assertEqual(self.attribute("#key-name", "aria-invalid"), "true")
        self.fill("server", scopes="Not A Scope!")
        self.click("#create-submit")
        self.see("#create-error", "'scopes[")
        self.assertEqual(self.focused_id(), "key-scopes")
        self.assertEqual(self.attribute("#key-scopes", "aria-invalid"), "true")
        self.assertEqual(self.attribute("#key-name", "value"), "server", "what was typed is lost")
        self.check_state("create-key-error")
        self.fill("server", scopes="read")
        self.click("#create-submit")
        self.see("#secret", "sk_")
        self.close_secret()
        self.assertEqual([key["name"] for key in self.account(token)["keys"]], ["server"])

    def test_error_is_gone_when_the_dialog_is_opened_again(self) -> None:
        self.new_customer()
        self.click("#create-key")
        self.click("#create-submit")
        self.see("#create-error")
        self.press(Keys.ESCAPE)
        self.see_no("#create-dialog")
        self.click("#create-key")
        self.see("#create-dialog")
        self.see_no("#create-error")
        self.assertNotEqual(self.attribute("#key-name", "aria-invalid"), "true")

    def test_no_more_than_fifty(self) -> None:
        token = self.new_customer()
        for number in range(49):
            self.make_key(token, f"server {number + 1}")
        eventually("all keys are shown", lambda: len(self.shown("#key-list tr")) == 49)
        self.click("#create-key")
        self.fill("one too many")
        self.make_key(token, "server 50")
        self.click("#create-submit")
        self.see("#create-error", "You may have 50 keys.")
        self.press(Keys.ESCAPE)
        self.see("#keys-full", "50 keys")
        self.assertFalse(self.see("#create-key").is_enabled())
        self.check_state("keys-fifty")


class RotateKey(KeyTest):
    def rotate(self, name: str, overlap: str) -> str:
        self.row_button(name, "Rotate").click()
        self.see("#rotate-dialog", f"Rotate “{name}”")
        self.click(f"#rotate-dialog [name=overlap][value='{overlap}']")
        self.click("#rotate-submit", "Rotate key")
        return self.see("#secret", "sk_").text

    def test_with_overlap(self) -> None:
        old = self.make_key(self.new_customer(), "build server")["key"]
        new = self.rotate("build server", "3600")
        self.see("#secret-note", "The old secret works until ")
        self.assertNotEqual(new, old)
        self.close_secret()
        self.check_works(old)
        self.check_works(new)
        self.see("#key-list tr", "The old secret works until ")
        self.assertNotIn(new, self.whole_page())
        self.check_state("keys-rotated")

    def test_at_once(self) -> None:
        old = self.make_key(self.new_customer(), "build server")["key"]
        new = self.rotate("build server", "0")
        self.see("#secret-note", "The old secret has ended.")
        self.close_secret()
        self.check_refused(old, "key-expired")
        self.check_works(new)

    def test_cancel_changes_nothing(self) -> None:
        old = self.make_key(self.new_customer(), "build server")["key"]
        self.row_button("build server", "Rotate").click()
        self.see("#rotate-dialog")
        self.check_state("rotate-key-dialog")
        self.press(Keys.ESCAPE)
        self.see_no("#rotate-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element.accessible_name, "Rotate build server")
        self.check_works(old)


class ExpiredKey(KeyTest):
    def test_says_so_and_is_not_rotated(self) -> None:
        token = self.new_customer()
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        body = {"name": "build server", "expiresAt": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        key = self.development.call("POST", "/keys", token, body=body).json["key"]
        eventually("the key has expired", lambda: self.development.call("GET", "/usage", key=key).status == 401)
        self.refresh()
        self.see("#key-list tr", "expired")
        self.assertFalse(self.row_button("build server", "Rotate").is_enabled())
        self.check_state("keys-expired")
        self.row_button("build server", "Revoke").click()
        self.click("#revoke-submit")
        self.see("#keys-empty")


class RotateKeyRefused(KeyTest):
    expected_in_console = (r"/keys/.* 404",)

    def test_key_was_revoked_elsewhere(self) -> None:
        token = self.new_customer()
        key = self.make_key(token, "build server")
        self.row_button("build server", "Rotate").click()
        self.see("#rotate-dialog")
        self.assertEqual(self.development.call("DELETE", f"/keys/{key['id']}", token).status, 200)
        self.click("#rotate-submit")
        self.see("#rotate-error")
        self.assertEqual(self.focused_id(), "rotate-error")
        self.press(Keys.ESCAPE)
        self.see("#keys-empty")


class RevokeKey(KeyTest):
    def test_cancel_keeps_it(self) -> None:
        key = self.make_key(self.new_customer(), "build server")["key"]
        self.row_button("build server", "Revoke").click()
        self.see("#revoke-dialog", "Revoke “build server”?")
        self.check_state("revoke-key-dialog")
        self.click("#revoke-dialog [data-closes]", "Cancel")
        self.see_no("#revoke-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element.accessible_name, "Revoke build server")
        self.row("build server")
        self.check_works(key)

    def test_confirmed(self) -> None:
        token = self.new_customer()
        key = self.make_key(token, "build server")["key"]
        other = self.make_key(token, "laptop")["key"]
        self.row_button("build server", "Revoke").click()
        self.click("#revoke-submit", "Revoke key")
        self.see_no("#revoke-dialog")
        eventually("one key is left", lambda: len(self.shown("#key-list tr")) == 1)
        self.row("laptop")
        self.assertEqual(self.focused_id(), "keys-title")
        self.check_refused(key, "key-revoked")
        self.check_works(other)
