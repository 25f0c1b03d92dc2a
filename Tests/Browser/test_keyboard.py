"""Everything without a mouse."""
from selenium.webdriver.common.keys import Keys

from dashboard import DashboardTest
from tabbing import check_tab_stops
from waiting import eventually


class Keyboard(DashboardTest):
    def test_tab_stops_at_everything_in_order_and_shows_where(self) -> None:
        token = self.new_customer()
        self.development.call("POST", "/keys", token, body={"name": "build server"})
        self.development.call("POST", "/generate-credentials", token)
        self.refresh()
        self.see("#key-list tr", "build server")
        self.see("#publishable-key", "pk_")
        self.see("#chart-days")
        check_tab_stops(self)

    def test_skip_link(self) -> None:
        self.sign_in("user_paid")
        self.press(Keys.TAB)
        self.assertTrue(self.browser.script("return document.activeElement.matches('#skip-link')"))
        self.press(Keys.ENTER)
        self.assertEqual(self.browser.script("return document.activeElement.id"), "main")

    def test_make_a_key(self) -> None:
        token = self.new_customer()
        self.tab_to("#create-key")
        self.press(Keys.ENTER)
        self.see("#create-dialog")
        self.press(Keys.ESCAPE)
        self.see_no("#create-dialog")
        self.check_focus("create-key")
        self.press(Keys.ENTER)
        self.see("#create-dialog")
        self.check_focus("key-name")
        self.press("server", Keys.TAB, Keys.BACKSPACE, "read", Keys.TAB, Keys.ARROW_DOWN, Keys.TAB, Keys.ARROW_RIGHT)
        self.press(Keys.ENTER)
        self.see("#secret", "sk_test_")
        self.check_focus("secret-copy")
        self.tab_to("#secret-done")
        self.press(Keys.ENTER)
        self.see_no("#secret-dialog")
        self.check_focus("create-key")
        [key] = self.account(token)["keys"]
        self.assertEqual((key["name"], key["scopes"], key["mode"]), ("server", ["read"], "test"))
        self.assertIsNotNone(key["expiresAt"])

    def test_rotate_and_revoke_a_key(self) -> None:
        token = self.new_customer()
        self.development.call("POST", "/keys", token, body={"name": "server"})
        self.refresh()
        self.see("#key-list tr", "server")
        self.tab_to("#key-list button")
        self.press(Keys.ENTER)
        self.see("#rotate-dialog")
        self.tab_to("#rotate-dialog [name=overlap]")
        self.press(Keys.ARROW_UP)
        self.tab_to("#rotate-submit")
        self.press(Keys.ENTER)
        self.see("#secret-note", "works until")
        self.press(Keys.ESCAPE, Keys.ESCAPE)
        self.see_no("#secret-dialog")
        self.assertEqual(self.browser.driver.switch_to.active_element.accessible_name, "Rotate server")
        self.press(Keys.TAB, Keys.ENTER)
        self.see("#revoke-dialog")
        self.tab_to("#revoke-submit")
        self.press(Keys.ENTER)
        self.see("#keys-empty")
        self.assertEqual(self.account(token)["keys"], [])

    def test_a_dialog_keeps_the_focus(self) -> None:
        self.new_customer()
        self.tab_to("#create-key")
        self.press(Keys.ENTER)
        self.see("#create-dialog")
        for _ in range(12):
            self.press(Keys.TAB)
            inside = self.browser.script(
                "return document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
            self.assertTrue(inside, "the focus is behind the dialog")

    def check_focus(self, name: str) -> None:
        self.assertEqual(self.browser.script("return document.activeElement.id"), name)


class ScreenReader(DashboardTest):
    """What is said without being asked."""

    def test_level_and_copying_are_announced(self) -> None:
        token = self.new_customer(calls=3)
        self.reads("#usage", "3 / 5")
        self.make_calls(token, 1)
        self.refresh()
        self.heard("1 call is left until ")
        self.allow_clipboard()
        self.click("[data-copies=snippet-curl]")
        self.heard("Copied")

    def test_refreshes_are_not_announced(self) -> None:
        self.sign_in("user_paid")
        self.browser.script("""
            window.saidInTheTest = [];
            const live = document.querySelectorAll('[role=status], [role=alert], [aria-live]');
            const observer = new MutationObserver((changes) =>
                saidInTheTest.push(...changes.map(({target}) => target.textContent)));
            for (const each of live) observer.observe(each, {childList: true, characterData: true, subtree: true});
        """)
        for _ in range(2):
            self.read_again()
        self.assertEqual(self.browser.script("return saidInTheTest.filter(Boolean)"), [])

    def heard(self, text: str) -> None:
        """A live region need not be seen."""
        eventually(f"{text!r} is announced", lambda: text in self.browser.script(
            "return document.getElementById('announcer').textContent"))
