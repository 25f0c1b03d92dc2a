"""What the tests share: one `tollgate dev`, one browser, and the folder of the pictures."""
import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from browser import Browser
from development import Development
from tools import Tools


@dataclasses.dataclass(frozen=True)
class Stage:
    tools: Tools
    browser: Browser
    development: Development
    shots: Path

    def photograph(self, name: str) -> None:
        self.browser.photograph(self.shots / f"{name}.png")


@contextlib.contextmanager
def running_development(tools: Tools) -> Iterator[Development]:
    """A `tollgate dev` with data of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="tollgate-browser-") as directory:
        development = Development(tools.tollgate, Path(directory))
        try:
            development.start()
            yield development
        finally:
            development.stop()


@contextlib.contextmanager
def running_stage(tools: Tools, shots: Path) -> Iterator[Stage]:
    with running_development(tools) as development, contextlib.closing(Browser(tools)) as browser:
        yield Stage(tools, browser, development, shots)
