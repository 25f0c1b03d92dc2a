"""Secret keys are made and shown once."""
import datetime
import subprocess

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import NARROW
from keys import KeyTest
from waiting import eventually


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
        # It is taken away by the event that says that the dialog has closed.
        eventually("the secret is gone", lambda: secret not in self.whole_page())
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
        eventually("the key's use shows", lambda: "never" not in self.row("laptop").find_element(
            By.CSS_SELECTOR, "[data-label='Last used']").text)

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
        self.refresh()
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
