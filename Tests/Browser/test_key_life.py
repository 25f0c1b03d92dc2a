"""Secret keys are rotated, expire, and are revoked."""
import datetime

from selenium.webdriver.common.keys import Keys

from keys import KeyTest
from waiting import eventually


class RotateKey(KeyTest):
    def rotate(self, name: str, overlap: str) -> str:
        self.click_in_row(name, "Rotate")
        self.see("#rotate-dialog", f"Rotate “{name}”")
        self.click(f"#rotate-dialog [name=overlap][value='{overlap}']")
        self.click("#rotate-submit", "Rotate key")
        return self.of("#secret", lambda element: element.text, "sk_")

    def test_with_overlap(self) -> None:
        _, [key] = self.new_customer_with_keys("build server")
        old = key["key"]
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
        _, [key] = self.new_customer_with_keys("build server")
        old = key["key"]
        new = self.rotate("build server", "0")
        self.see("#secret-note", "The old secret has ended.")
        self.close_secret()
        self.check_refused(old, "key-expired")
        self.check_works(new)

    def test_cancel_changes_nothing(self) -> None:
        _, [key] = self.new_customer_with_keys("build server")
        old = key["key"]
        self.click_in_row("build server", "Rotate")
        self.see("#rotate-dialog")
        self.check_state("rotate-key-dialog")
        self.press(Keys.ESCAPE)
        self.see_no("#rotate-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element.accessible_name, "Rotate build server")
        self.check_works(old)


class ExpiredKey(KeyTest):
    def test_says_so_and_is_not_rotated(self) -> None:
        token = self.new_customer()
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
        body = {"name": "build server", "expiresAt": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        key = self.development.call("POST", "/keys", token, body=body).json["key"]
        eventually("the key has expired", lambda: self.development.call("GET", "/usage", key=key).status == 401)
        self.refresh()
        self.see("#key-list tr", "expired")
        self.assertFalse(self.is_enabled_in_row("build server", "Rotate"))
        self.check_state("keys-expired")
        self.click_in_row("build server", "Revoke")
        self.click("#revoke-submit")
        self.see("#keys-empty")


class RotateKeyRefused(KeyTest):
    expected_in_console = (r"/keys/.* 404",)

    def test_key_was_revoked_elsewhere(self) -> None:
        token, [key] = self.new_customer_with_keys("build server")
        self.click_in_row("build server", "Rotate")
        self.see("#rotate-dialog")
        self.assertEqual(self.development.call("DELETE", f"/keys/{key['id']}", token).status, 200)
        self.click("#rotate-submit")
        self.see("#rotate-error")
        self.assertEqual(self.focused_id(), "rotate-error")
        self.press(Keys.ESCAPE)
        self.see("#keys-empty")


class RevokeKey(KeyTest):
    def test_cancel_keeps_it(self) -> None:
        _, [key] = self.new_customer_with_keys("build server")
        self.click_in_row("build server", "Revoke")
        self.see("#revoke-dialog", "Revoke “build server”?")
        self.check_state("revoke-key-dialog")
        self.click("#revoke-dialog [data-closes]", "Cancel")
        self.see_no("#revoke-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element.accessible_name, "Revoke build server")
        self.row("build server")
        self.check_works(key["key"])

    def test_confirmed(self) -> None:
        _, [key, other] = self.new_customer_with_keys("build server", "laptop")
        self.click_in_row("build server", "Revoke")
        self.click("#revoke-submit", "Revoke key")
        self.see_no("#revoke-dialog")
        eventually("one key is left", lambda: len(self.shown("#key-list tr")) == 1)
        self.row("laptop")
        self.assertEqual(self.focused_id(), "keys-title")
        self.check_refused(key["key"], "key-revoked")
        self.check_works(other["key"])
