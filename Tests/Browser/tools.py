"""What the tests need, and what of it is here."""
import dataclasses
import importlib.util
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = {"redis-server": "redis-server", "redis-cli": "redis-server", "curl": "curl"}


class ToolError(Exception):
    """Something is missing without which nothing can be tested."""


@dataclasses.dataclass(frozen=True)
class Tools:
    tollgate: Path
    browser: str
    driver: str

    # The source of axe-core.
    axe: str


def default_tollgate() -> Path:
    return ROOT / ".build/debug/tollgate"


def find_tools(tollgate: Path) -> Tools:
    """Fails with the names of all that is missing."""
    problems = [f"{tool} is missing: install {package}"
                for tool, package in _PACKAGES.items() if not shutil.which(tool)]
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    axe = _axe_file()
    if not browser:
        problems.append("Chromium is missing: install chromium")
    if not driver:
        problems.append("chromedriver is missing: install chromium-driver")
    if not axe or not importlib.util.find_spec("selenium"):
        problems.append("selenium or axe-core is missing: Tests/Browser/install")
    if not os.access(tollgate, os.X_OK):
        problems.append(f"{tollgate} is missing: swift build")
    if problems or not browser or not driver or not axe:
        raise ToolError("\n".join(problems))
    return Tools(tollgate.resolve(), browser, driver, axe.read_text())


def _axe_file() -> Path | None:
    package = importlib.util.find_spec("axe_playwright_python")
    folders = package.submodule_search_locations if package else None
    file = Path(folders[0], "axe.min.js") if folders else None
    return file if file and file.exists() else None
