"""The publishable key, and code that uses it."""
import subprocess

from dashboard import DashboardTest
from waiting import eventually


class Credentials(DashboardTest):
    def create(self) -> None:
        self.click("#create-credentials", "Create credentials (uses one call)")
        self.see("#publishable-key", "pk_")

    def test_create(self) -> None:
        token = self.new_customer()
        self.see("#credentials-empty", "You have no platform id and no publishable key yet.")
        self.see("#snippet-curl", "YOUR_API_KEY")
        self.create()
        self.see_no("#credentials-empty")
        shown = {"platformId": self.text("#platform-id"), "apiKey": self.text("#publishable-key")}
        self.assertEqual({**shown, "previousUntil": None}, self.account(token)["credentials"])
        self.reads("#usage", "1 / 5")
        self.assertEqual(self.focused_id(), "credentials-title", "the button that had the focus is gone")
        self.check_state("credentials-created")
        self.browser.driver.refresh()
        self.reads("#publishable-key", shown["apiKey"])

    def focused_id(self) -> str:
        return self.browser.script("return document.activeElement.id")

    def test_copy(self) -> None:
        self.new_customer()
        self.create()
        self.allow_clipboard()
        for target in ("platform-id", "publishable-key", "snippet-curl", "snippet-javascript"):
            self.click(f"[data-copies={target}]", "Copy")
            self.see(f"[data-copies={target}]", "Copied")
            self.assertEqual(self.clipboard(), self.source(f"#{target}"))

    def test_copying_without_leave_selects(self) -> None:
        """Where there is no clipboard, such as without HTTPS, the text is ready to be copied by hand."""
        self.new_customer()
        self.create()
        self.browser.script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
        self.click("[data-copies=publishable-key]")
        self.see("#publishable-key")
        self.assertEqual(self.browser.script("return String(getSelection())"), self.text("#publishable-key"))

    def test_snippets_run(self) -> None:
        token = self.new_customer()
        self.create()
        key = self.text("#publishable-key")
        self.see("#snippet-curl", key)
        command = self.source("#snippet-curl")
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
        self.assertIn('"success":true', run.stdout, run.stderr)
        self.refresh()
        self.reads("#usage", "2 / 5")
        said = self.run_in_page(self.source("#snippet-javascript"))
        self.assertEqual((said[0], said[1]["success"]), (200, True))
        self.refresh()
        self.reads("#usage", "3 / 5")
        self.assertEqual(self.development.usage_count(token), 3)

    def run_in_page(self, code: str) -> list:
        """What the code says to the console. The page's own policy would not let it evaluate text."""
        expression = f"(async () => {{ const said = []; const console = {{log: (...words) => said.push(...words)}};" \
                     f"{code}\nreturn said; }})()"
        answer = self.browser.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        self.assertNotIn("exceptionDetails", answer)
        return answer["result"]["value"]


class CredentialsChanged(DashboardTest):
    def new_customer_with_credentials(self) -> str:
        """The publishable key, which is shown."""
        self.token = self.new_customer()
        self.click("#create-credentials")
        return self.see("#publishable-key", "pk_").text

    def check_works(self, key: str) -> None:
        self.assertEqual(self.development.call("POST", "/verify-auth", key=key).status, 200)

    def check_refused(self, key: str, code: str) -> None:
        answer = self.development.call("POST", "/verify-auth", key=key)
        self.assertEqual((answer.status, answer.json["code"]), (401, code))

    def rotate(self, overlap: str) -> None:
        self.click("#rotate-credentials", "Rotate")
        self.see("#rotate-title", "Rotate the publishable key")
        self.click(f"#rotate-dialog [name=overlap][value='{overlap}']")
        self.click("#rotate-submit")
        self.see_no("#rotate-dialog")

    def new_key(self, before: str) -> str:
        eventually("another key is shown", lambda: self.text("#publishable-key") != before)
        return self.text("#publishable-key")

    def test_rotate_with_an_overlap(self) -> None:
        first = self.new_customer_with_credentials()
        platform = self.text("#platform-id")
        self.see_no("#credentials-previous")
        self.rotate("3600")
        second = self.new_key(first)
        self.see("#credentials-previous", "The key before it works until")
        self.see("#snippet-curl", second)
        self.assertEqual(self.text("#platform-id"), platform)
        self.check_works(first)
        self.check_works(second)
        self.check_state("credentials-rotated")
        self.click("#rotate-credentials")
        self.see("#rotate-note", "ends at once")
        self.check_state("credentials-rotate-dialog")

    def test_rotate_without_an_overlap(self) -> None:
        first = self.new_customer_with_credentials()
        self.rotate("0")
        second = self.new_key(first)
        self.see_no("#credentials-previous")
        self.check_refused(first, "key-expired")
        self.check_works(second)
        self.assertEqual(self.account(self.token)["credentials"]["apiKey"], second)

    def test_revoke_asks_first(self) -> None:
        key = self.new_customer_with_credentials()
        self.click("#revoke-credentials", "Revoke")
        self.see("#revoke-title", "Revoke the publishable key?")
        self.check_state("credentials-revoke-dialog")
        self.click("#revoke-dialog [data-closes]")
        self.check_works(key)
        self.click("#revoke-credentials")
        self.click("#revoke-submit")
        self.see_no("#revoke-dialog")
        self.see("#credentials-empty", "no publishable key")
        focused = self.browser.script("return document.activeElement.id")
        self.assertEqual(focused, "credentials-title", "the button that had the focus is gone")
        self.see("#snippet-curl", "YOUR_API_KEY")
        self.check_refused(key, "key-revoked")
        self.click("#create-credentials")
        self.assertNotEqual(self.see("#publishable-key", "pk_").text, key)

    def test_the_page_tells_what_the_key_cannot_do(self) -> None:
        """And the gateway holds it to that."""
        key = self.new_customer_with_credentials()
        self.see("#credentials", "manages no keys, no credentials and no billing")
        for method, path in (("POST", "/billing-portal"), ("POST", "/create-checkout"), ("GET", "/get-credentials"),
                             ("POST", "/generate-credentials/revoke"), ("GET", "/keys")):
            self.assertEqual(self.development.call(method, path, key=key).status, 403, path)


class CredentialsRefused(DashboardTest):
    expected_in_console = ("generate-credentials.* 403",)

    def test_no_call_is_left(self) -> None:
        self.new_customer(calls=5)
        self.click("#create-credentials")
        self.see("#credentials-error", "upgrade")
        self.see("#credentials-empty")
        self.check_state("credentials-refused")
