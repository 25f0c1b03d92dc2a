"""What every test of a page has: a fresh tab, users of its own, and an eye on the console."""
import itertools
import re
import threading
import unittest
from collections.abc import Callable
from typing import ClassVar, TypeVar

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from browser import DESKTOP, LOOKS, NARROW, Browser, Look
from development import Development
from stage import Stage
from waiting import eventually

_Value = TypeVar("_Value")
_numbers = itertools.count(1)
_here = threading.local()


class _StageOfThisThread:
    """Of the job that runs the test, for a class as for a test."""

    def __get__(self, test: object, owner: type) -> Stage:
        return _here.stage


class BrowserTest(unittest.TestCase):
    """A test that provokes errors of the API names them in `expected_in_console`; anything else there fails it."""

    stage = _StageOfThisThread()

    # Regular expressions.
    expected_in_console: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def enter(stage: Stage) -> None:
        """The tests that this thread runs are on `stage`."""
        _here.stage = stage

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
        """The id of a user who has never called."""
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
        return [(each, each.text) for each in self.shown(selector)]

    def of(self, selector: str, use: Callable[[WebElement], _Value], text: str = "") -> _Value:
        """What `use` gives of the first such element that is shown, looked for again when it is replaced meanwhile."""
        return eventually(f"{selector} with {text!r} stays", lambda: [use(self.see(selector, text))])[0]

    def texts(self, selector: str) -> list[str]:
        """Of all such elements that are shown, now."""
        return eventually(f"{selector} stays", lambda: [[each.text for each in self.shown(selector)]])[0]

    def text(self, selector: str) -> str:
        """Of the first such element that is shown, now."""
        return self.of(selector, lambda element: element.text)

    def attribute(self, selector: str, name: str) -> str:
        """Of the first such element that is shown; empty when it has none."""
        return self.of(selector, lambda element: element.get_attribute(name) or "")

    def source(self, selector: str) -> str:
        """The text with all its blanks and line ends."""
        return self.of(selector, lambda element: str(element.get_property("textContent")))

    def click(self, selector: str, text: str = "") -> None:
        self.of(selector, lambda element: element.click(), text)

    def see_no(self, selector: str, timeout: float = 15) -> None:
        """Waits until no such element is shown."""
        eventually(f"no {selector}", lambda: not self.shown(selector), timeout)

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
        """It is seen without scrolling."""
        box = self.browser.script("return arguments[0].getBoundingClientRect().toJSON()", self.see(selector))
        self.assertGreaterEqual(box["top"], 0, f"{selector} is above what is in view")
        self.assertLessEqual(box["bottom"], self.browser.script("return innerHeight"), f"{selector} is below it")

    def check_width(self, look: Look) -> None:
        """It is read without scrolling sideways."""
        width = self.browser.script("return Math.max(innerWidth, document.documentElement.scrollWidth)")
        self.assertEqual(width, look.width, "the page is wider than the screen")
