"""What every test of a page has: a fresh tab, users of its own, and an eye on the console."""
import itertools
import re
import unittest
from typing import ClassVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from browser import DESKTOP, LOOKS, NARROW, Browser, Look
from development import Development
from stage import Stage
from waiting import eventually

_numbers = itertools.count(1)


class BrowserTest(unittest.TestCase):
    """A test that provokes errors of the API names them in `expected_in_console`; anything else there fails it."""

    stage: ClassVar[Stage]

    # Regular expressions.
    expected_in_console: ClassVar[tuple[str, ...]] = ()

    @property
    def browser(self) -> Browser:
        return self.stage.browser

    @property
    def development(self) -> Development:
        return self.stage.development

    @property
    def origins(self) -> list[str]:
        here = self.development
        return [here.gateway, here.identity, here.stripe, here.admin]

    def setUp(self) -> None:
        self.browser.begin(self.origins)

    def tearDown(self) -> None:
        problems = [entry["message"] for entry in self.browser.console() if entry["level"] in ("SEVERE", "WARNING")]
        surprises = [line for line in problems if not any(re.search(each, line) for each in self.expected_in_console)]
        if surprises:
            self.fail("\n".join(["in the console:", *surprises]))

    def new_user(self) -> str:
        """The id of a user whom nobody has heard of."""
        return f"user_test{next(_numbers)}"

    def open(self, path: str) -> None:
        self.browser.driver.get(self.development.gateway + path)

    def shown(self, selector: str) -> list[WebElement]:
        """The elements that a person can see."""
        return [each for each in self.browser.driver.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    def see(self, selector: str, text: str = "", timeout: float = 15) -> WebElement:
        """Waits until an element is shown, with this in its text, and returns it."""

        def find() -> WebElement:
            found = self._texts(selector)
            self.assertTrue(found, "there is none")
            match = next((element for element, words in found if text in words), None)
            return match or self.fail(f"there is {[words for _, words in found]}")

        return eventually(f"{selector} with {text!r}", find, timeout)

    def reads(self, selector: str, text: str, timeout: float = 15) -> None:
        """Waits until the one element that is shown has this text and no other."""

        def check() -> bool:
            self.assertEqual([words for _, words in self._texts(selector)], [text])
            return True

        eventually(f"{selector} reads {text!r}", check, timeout)

    def _texts(self, selector: str) -> list[tuple[WebElement, str]]:
        try:
            return [(each, each.text) for each in self.shown(selector)]
        except StaleElementReferenceException:
            # Replaced while it was looked at.
            return []

    def text(self, selector: str) -> str:
        """Of the first such element that is shown, now."""
        return self.see(selector).text

    def attribute(self, selector: str, name: str) -> str:
        """Of the first such element that is shown; empty when it has none."""
        return self.see(selector).get_attribute(name) or ""

    def source(self, selector: str) -> str:
        """The text with all its blanks and line ends."""
        return str(self.see(selector).get_property("textContent"))

    def click(self, selector: str, text: str = "") -> None:
        self.see(selector, text).click()

    def see_no(self, selector: str, timeout: float = 15) -> None:
        """Waits until no such element is shown."""

        def is_gone() -> bool:
            try:
                return not self.shown(selector)
            except StaleElementReferenceException:
                # Replaced while it was looked at.
                return False

        eventually(f"no {selector}", is_gone, timeout)

    def press(self, *keys: str) -> None:
        """On whatever has the focus."""
        for key in keys:
            self.browser.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, selector: str, limit: int = 60) -> WebElement:
        """Presses Tab until this has the focus."""
        for _ in range(limit):
            focused = self.browser.script(
                "return document.activeElement?.matches(arguments[0]) ? document.activeElement : null", selector)
            if focused:
                return focused
            self.press(Keys.TAB)
        self.fail(f"{selector} is not reached with the Tab key")

    def check_state(self, name: str, is_judged: bool = True) -> None:
        """What is shown now, in light and dark, on a desktop and a phone: keeps pictures of it, and has axe-core judge
        it, which is a script and needs a page that may run some.
        """
        for look in [*LOOKS, NARROW]:
            self.browser.look(look)
            self.stage.photograph(f"{name}-{look}")
            with self.subTest(state=name, look=str(look)):
                self.check_width(look)
                if is_judged and look in LOOKS:
                    self.check_accessibility()
        self.browser.look(DESKTOP)

    def check_accessibility(self) -> None:
        if problems := self.browser.accessibility_problems():
            self.fail("\n".join(["axe-core:", *problems]))

    def check_in_view(self, selector: str) -> None:
        """Nobody has to scroll to notice it."""
        box = self.browser.script("return arguments[0].getBoundingClientRect().toJSON()", self.see(selector))
        self.assertGreaterEqual(box["top"], 0, f"{selector} is above what is in view")
        self.assertLessEqual(box["bottom"], self.browser.script("return innerHeight"), f"{selector} is below it")

    def check_width(self, look: Look) -> None:
        """Nobody has to scroll sideways to read it."""
        width = self.browser.script("return Math.max(innerWidth, document.documentElement.scrollWidth)")
        self.assertEqual(width, look.width, "the page is wider than the screen")
