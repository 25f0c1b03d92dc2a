"""What the tests of the customers' dashboard have in common."""
import contextlib
import datetime
from typing import Any, ClassVar

from selenium.webdriver.common.by import By

from api import post_form, request
from case import BrowserTest
from development import Development
from stage import running_development
from waiting import eventually


def next_reset() -> str:
    """The first day of the next month in UTC, as English has it."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    first = (today.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
    return f"{first:%B} 1, {first.year}"


class DashboardTest(BrowserTest):
    def sign_in(self, user: str, name: str = "", plan: str = "") -> None:
        """Through the picker of the identity provider: a sample user by their button, every other by the form."""
        self.open("/dashboard")
        self.choose_user(user, name, plan)
        self.see("#account")

    def choose_user(self, user: str, name: str = "", plan: str = "") -> None:
        """From the page that asks to sign in."""
        self.click("#sign-in", "Sign in")
        eventually("the picker", lambda: self.browser.driver.current_url.startswith(self.development.identity))
        self.see("input:not([type=hidden])[name=user]")
        if self.shown(f"button#{user}"):
            return self.click(f"button#{user}")
        for field, text in {"user": user, "name": name, "plan": plan}.items():
            box = self.browser.driver.find_element(By.CSS_SELECTOR, f"input:not([type=hidden])[name={field}]")
            box.clear()
            box.send_keys(text)
        self.click("#sign-in")

    def new_customer(self, calls: int = 0, plan: str = "") -> str:
        """Signs a user in who has made so many calls, and returns a token of theirs."""
        user = self.new_user()
        token = self.development.token(user, plan or None)
        self.make_calls(token, calls)
        self.enter(user, plan)
        return token

    def enter(self, user: str, plan: str = "") -> None:
        """Signs a user in without the detour over the picker, by the cookie that it gives."""
        identity = self.development.identity
        answer = post_form(f"{identity}/sign-in", {"user": user, "plan": plan})
        self.assertEqual(answer.status, 303, answer.text)
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        self.browser.command("Network.setCookie", url=identity, name=name, value=value, httpOnly=True)
        self.open("/dashboard")
        self.see("#account")

    def make_calls(self, token: str, count: int) -> None:
        """Beside the page."""
        for _ in range(count):
            self.assertEqual(self.development.call("POST", "/verify-auth", token).status, 200)

    def buy(self, token: str) -> None:
        """The plan `paid`, beside the page."""
        checkout = self.development.call("POST", "/create-checkout", token).json["checkoutUrl"]
        self.assertEqual(request("POST", checkout).status, 303)
        eventually("the plan counts", lambda: self.account(token)["usage"]["plan"] == "paid")

    def account(self, token: str) -> Any:
        """What the API says of a customer."""
        answer = self.development.call("GET", "/account", token)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json

    def refresh(self) -> None:
        """Does what brings the page's reader back to it, upon which it asks at once and not only within seconds."""
        self.browser.script("dispatchEvent(new Event('focus'))")

    def mark_page(self) -> None:
        """What is loaded anew has no mark."""
        self.browser.script("window.markOfTheTest = true")

    def check_not_reloaded(self) -> None:
        self.assertTrue(self.browser.script("return window.markOfTheTest === true"), "the page was loaded anew")

    def reads_of_account(self) -> int:
        """How often the page has asked the API so far."""
        return self.browser.script(
            "return performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/account')).length")

    def wait_for_reads(self, count: int) -> None:
        """So many more."""
        goal = self.reads_of_account() + count
        eventually(f"{count} more reads of the account", lambda: self.reads_of_account() >= goal, 10 + 10 * count)

    def read_again(self) -> None:
        """Has the page ask for the account, and waits for the answer."""
        before = self.reads_of_account()
        self.refresh()
        eventually("the account is read again", lambda: self.reads_of_account() > before)

    def allow_clipboard(self) -> None:
        self.browser.command("Browser.grantPermissions", origin=self.development.gateway,
                             permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def clipboard(self) -> str:
        return self.browser.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](`no text: ${error}`))")


class OwnDevelopment(DashboardTest):
    """Tests with a `tollgate dev` of their own, which they may stop, and in which no other test has called."""

    _own: ClassVar[Development]

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls._own = stack.enter_context(running_development(cls.stage.tools))

    @property
    def development(self) -> Development:
        return self._own
