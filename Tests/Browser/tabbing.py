"""Where the Tab key goes."""
from selenium.webdriver.common.keys import Keys

from case import BrowserTest

# What it is to stop at, in the order of the page.
_STOPS = """
return [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
    .filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.disabled)
    .map((each) => each.id || each.dataset.copies || each.textContent.trim());
"""
_FOCUSED = """
const it = document.activeElement;
const {outlineStyle, outlineWidth} = getComputedStyle(it);
return {name: it.id || it.dataset.copies || it.textContent.trim(),
        isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2};
"""


def check_tab_stops(test: BrowserTest) -> None:
    """It stops at everything, in order, and one sees where."""
    expected = test.browser.script(_STOPS)
    reached: list[str] = []
    for _ in expected:
        test.press(Keys.TAB)
        focused = test.browser.script(_FOCUSED)
        test.assertTrue(focused["isMarked"], f"the focus does not show at {focused['name']}")
        reached.append(focused["name"])
    test.assertEqual(reached, expected)
