"""What the tests of the operator's overview have in common."""
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver.common.keys import Keys

from api import request
from dashboard import DashboardTest
from waiting import eventually


class OverviewTest(DashboardTest):
    def open_overview(self, fragment: str = "") -> None:
        self.browser.driver.get(f"{self.development.admin}/overview{fragment}")
        self.see("#overview")

    def open_user(self, user: str) -> None:
        self.open_overview(f"#user={user}")
        self.reads("#explained-user", user)

    def search(self, text: str) -> None:
        self.see("#user-id").clear()
        self.see("#user-id").send_keys(text, Keys.ENTER)

    def open_panel(self, name: str) -> None:
        self.click(f"#{name}-panel summary")
        self.see(f"#{name}-body")

    def press_button(self, selector: str, name: str) -> None:
        """By what screen readers call it."""

        def press() -> bool:
            names = {each.accessible_name: each for each in self.shown(selector)}
            self.assertIn(name, names)
            names[name].click()
            return True

        eventually(f"{selector} is called {name!r}", press)

    def figure(self, name: str) -> float:
        return float(self.text(f"#{name}").replace(",", ""))

    def wait_for_figure(self, name: str, least: float) -> None:
        eventually(f"{name} is {least:g} or more", lambda: self.figure(name) >= least)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """What the API says, beside the page."""
        answer = request(method, f"{self.development.admin}/admin/v1/{path}", body=body)
        self.assertLess(answer.status, 300, answer.text)
        return answer.json

    def fill_in(self, selector: str, text: str) -> None:
        self.see(selector).clear()
        self.see(selector).send_keys(text)

    def value(self, selector: str) -> str:
        return self.of(selector, lambda element: str(element.get_property("value")))

    def confirm(self, question: str) -> None:
        """Answers the dialog that asks this."""
        self.see("#confirm-title", question)
        self.click("#confirm-submit")
        self.see_no("#confirm-dialog")

    def copied_secret(self) -> str:
        """What is shown this once, which is gone afterwards."""
        secret = self.of("#secret", lambda element: element.text, "_")
        self.click("#secret-dialog [data-closes]", "Done")
        self.see_no("#secret-dialog")
        page = self.browser.script("return document.documentElement.outerHTML")
        self.assertNotIn(secret, page)
        return secret

    @contextlib.contextmanager
    def downloads(self) -> Iterator[Path]:
        """A folder in which the browser saves what it downloads."""
        with tempfile.TemporaryDirectory(prefix="tollgate-browser-") as directory:
            self.browser.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=directory)
            yield Path(directory)

    def downloaded(self, directory: Path, name: str) -> str:
        """The text of a file that has arrived whole."""
        eventually(f"{name} is there", lambda: [each.name for each in directory.iterdir()] == [name])
        return (directory / name).read_text()
