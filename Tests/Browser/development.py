"""A running `tollgate dev`, with a directory and ports of its own."""
import os
import re
import signal
import subprocess
from pathlib import Path

from api import Answer, request
from process import Process, free_ports
from waiting import eventually

_PORTS = ("port", "admin-port", "identity-port", "stripe-port", "clerk-port", "redis-port")
_CONFIGURATION = Path(__file__).with_name("tollgate.yaml")


class Development:
    """The gateway and everything that it needs. The ports stay the same when it is started again."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.binary = str(binary)
        self._data = str(directory / "data")
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS))))
        options = [word for name, port in self._ports.items() for word in (f"--{name}", str(port))]
        self._process = Process(
            [self.binary, "dev", "--data", self._data, "--config", str(_CONFIGURATION), *options], directory)

    @property
    def gateway(self) -> str:
        return self._origin("port")

    @property
    def admin(self) -> str:
        return self._origin("admin-port")

    @property
    def identity(self) -> str:
        return self._origin("identity-port")

    @property
    def stripe(self) -> str:
        return self._origin("stripe-port")

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self._ports['redis-port']}"

    @property
    def identity_directory(self) -> Path:
        """Where the identity provider keeps its key."""
        return Path(self._data, "identity")

    def _origin(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def start(self) -> None:
        """Returns when it says that it is ready."""
        self._process.start(lambda: "Ctrl-C stops everything" in self._process.said())

    def ensure_started(self) -> None:
        if not self._process.is_started:
            self.start()

    def stop(self) -> None:
        self._process.stop()

    def suspend_redis(self) -> None:
        """Redis hangs: its connections stay open, and nothing is answered."""
        self._redis_process = int(re.findall(r"process_id:(\d+)", self.redis("INFO", "server"))[0])
        os.kill(self._redis_process, signal.SIGSTOP)

    def resume_redis(self) -> None:
        """Returns when the gateway has noticed."""
        os.kill(self._redis_process, signal.SIGCONT)
        eventually("the gateway is ready again", lambda: request("GET", f"{self.admin}/readyz").status == 200)

    def redis(self, *command: str) -> str:
        """What Redis answers, as redis-cli prints it."""
        run = subprocess.run(
            ["redis-cli", "-u", self.redis_url, *command], capture_output=True, text=True, check=True, timeout=10)
        return run.stdout.strip()

    def token(self, user: str, plan: str | None = None) -> str:
        """A session token, for calls beside the browser's."""
        command = [self.binary, "dev", "token", "--data", self._data, "--user", user, "--plan", plan or "none"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    def call(self, method: str, path: str, token: str = "", key: str = "", body: object = None) -> Answer:
        """A call of the gateway with a session token or an API key."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["X-API-Key"] = key
        return request(method, self.gateway + path, headers, body)

    def usage_count(self, token: str) -> int:
        """Calls this month, asked in the way that costs none."""
        return int(self.call("GET", "/usage", token).json["usage"]["count"])
