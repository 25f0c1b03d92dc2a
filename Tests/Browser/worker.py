"""A `tollgate serve` beside a running `tollgate dev`, on the same Redis: another worker of the fleet."""
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from api import request
from development import Development
from process import Process, free_ports


class Worker:
    def __init__(self, development: Development, directory: Path, settings: dict[str, str]) -> None:
        port, admin_port = free_ports(2)
        self.gateway = f"http://127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{admin_port}"
        # Nothing for a browser to sign in with.
        self._process = Process([development.binary, "serve"], directory, {
            "TOLLGATE_HOST": "127.0.0.1", "TOLLGATE_PORT": str(port), "TOLLGATE_ADMIN_PORT": str(admin_port),
            "TOLLGATE_DRAIN_SECONDS": "0", "TOLLGATE_LOG_LEVEL": "warning", "TOLLGATE_ACCESS_LOG": "off",
            # A machine that is busy with other tests is no outage.
            "REDIS_URL": development.redis_url, "REDIS_TIMEOUT_MS": "2000",
            "CLERK_JWKS_URL": f"{development.identity}/.well-known/jwks.json",
            "CLERK_ISSUER": "https://identity.tollgate.localhost", **settings,
        })

    def start(self) -> None:
        self._process.start(self._is_ready)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return request("GET", f"{self.admin}/readyz").status == 200
        return False

    def stop(self) -> None:
        self._process.stop()


@contextlib.contextmanager
def running_worker(development: Development, configuration: str = "", **settings: str) -> Iterator[Worker]:
    """With a tollgate.yaml of its own, if there is one, and settings beside the usual ones."""
    with tempfile.TemporaryDirectory(prefix="tollgate-browser-") as directory:
        if configuration:
            Path(directory, "tollgate.yaml").write_text(configuration)
        worker = Worker(development, Path(directory), settings)
        try:
            worker.start()
            yield worker
        finally:
            worker.stop()
