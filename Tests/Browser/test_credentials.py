"""The publishable key, and code that uses it."""
import subprocess

from dashboard import DashboardTest


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
        self.assertEqual(shown, self.account(token)["credentials"])
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


class CredentialsRefused(DashboardTest):
    expected_in_console = ("generate-credentials.* 403",)

    def test_no_call_is_left(self) -> None:
        self.new_customer(calls=5)
        self.click("#create-credentials")
        self.see("#credentials-error", "upgrade")
        self.see("#credentials-empty")
        self.check_state("credentials-refused")
