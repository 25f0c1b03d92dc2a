"""Chromium without a window."""
import base64
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tools import Tools


@dataclasses.dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    theme: str
    size: str

    def __str__(self) -> str:
        return f"{self.theme}-{self.size}"

    @property
    def width(self) -> int:
        return _SIZES[self.size][0]


# Width and height, and whether it is touched.
_SIZES = {"desktop": (1280, 900, False), "phone": (375, 812, True), "narrow": (320, 640, True)}
DESKTOP = Look("light", "desktop")
NARROW = Look("light", "narrow")
LOOKS = [Look(theme, size) for size in ("desktop", "phone") for theme in ("light", "dark")]


class Browser:
    """One process for all tests. Each begins with a tab of its own, and nothing is kept from the one before."""

    def __init__(self, tools: Tools) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = tools.browser
        arguments = ["--headless=new", "--lang=en-US", "--no-proxy-server", "--disable-dev-shm-usage",
                     "--hide-scrollbars", "--force-color-profile=srgb"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        for argument in arguments:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self._axe = tools.axe
        self.driver = webdriver.Chrome(options=options, service=Service(tools.driver))
        self.driver.set_page_load_timeout(20)
        self.driver.set_script_timeout(20)

    def close(self) -> None:
        self.driver.quit()

    def command(self, command: str, /, **parameters: object) -> Any:
        """Of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def begin(self, origins: list[str]) -> None:
        """A new tab without emulations, and nothing of these origins in any storage."""
        driver = self.driver
        old = driver.window_handles
        driver.switch_to.new_window("tab")
        new = driver.current_window_handle
        for handle in old:
            driver.switch_to.window(handle)
            driver.close()
        driver.switch_to.window(new)
        self.command("Network.clearBrowserCookies")
        self.command("Network.clearBrowserCache")
        for origin in origins:
            self.command("Storage.clearDataForOrigin", origin=origin, storageTypes="all")
        # Only a page that has the focus may use the clipboard.
        self.command("Emulation.setFocusEmulationEnabled", enabled=True)
        self.look(DESKTOP)
        self.console()
        self.network()

    def look(self, look: Look) -> None:
        width, height, touched = _SIZES[look.size]
        self.command("Emulation.setDeviceMetricsOverride",
                     width=width, height=height, deviceScaleFactor=1, mobile=touched)
        self.prefer(theme=look.theme)
        # Colours on their way from one theme to the other are in neither.
        self.driver.execute_async_script(_WAIT_FOR_TRANSITIONS)

    def prefer(self, theme: str = "light", motion: str = "no-preference") -> None:
        """What the user has told the system."""
        features = {"prefers-color-scheme": theme, "prefers-reduced-motion": motion}
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": name, "value": value} for name, value in features.items()])

    def script(self, text: str, *arguments: object) -> Any:
        return self.driver.execute_script(text, *arguments)

    def console(self) -> list[dict[str, Any]]:
        """What has come to the console since it was asked last."""
        return self.driver.get_log("browser")

    def network(self) -> list[dict[str, Any]]:
        """The events of the DevTools protocol's Network since they were asked for last."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [message for message in messages if message["method"].startswith("Network.")]

    def photograph(self, file: Path) -> None:
        """The whole page, and not only what is in view; but a dialog as it lies over what is in view."""
        page: dict[str, object] = {"format": "png"}
        if not self.script("return Boolean(document.querySelector('dialog[open]'))"):
            size = self.command("Page.getLayoutMetrics")["cssContentSize"]
            page["captureBeyondViewport"] = True
            page["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        image = self.command("Page.captureScreenshot", **page)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(image["data"]))

    def accessibility_problems(self) -> list[str]:
        """What axe-core finds, a line for each element."""
        if not self.script("return Boolean(window.axe)"):
            # Not by a script element, which the page's own policy would refuse.
            self.command("Runtime.evaluate", expression=self._axe)
        found = self.driver.execute_async_script(_RUN_AXE)
        if "error" in found:
            raise RuntimeError(f"axe-core fails: {found['error']}")
        return [f"{rule['id']} ({rule['impact']}) {node['html'][:200]}: {node['failureSummary']}"
                for rule in found["violations"] for node in rule["nodes"]]


_WAIT_FOR_TRANSITIONS = """
const transitions = document.getAnimations().filter((each) => each instanceof CSSTransition);
Promise.allSettled(transitions.map(({finished}) => finished)).then(() => arguments[0]());
"""

_RUN_AXE = """
const done = arguments[arguments.length - 1];
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})
    .then(done, (error) => done({error: String(error)}));
"""
