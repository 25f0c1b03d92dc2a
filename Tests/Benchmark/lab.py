"""The bench itself: an upstream, and gateways that each have a Redis, on free ports and in a temporary directory."""
import contextlib
import itertools
import os
import pwd
import tempfile
from collections.abc import Sequence
from pathlib import Path

from credentials import TokenIssuer
from programs import Program, free_ports, http_problem, tcp_problem
from redis import Redis
from stores import Store, bus_port
from tools import Tools

# The gateways. BEFORE is another build of Tollgate. NGINX is nginx+Lua at its second port.
TOLLGATE, BEFORE = "Tollgate", "Tollgate before"
NGINX_LUA, NGINX, TRAEFIK, VARNISH, WEBDIS = "nginx+Lua", "nginx without counting", "Traefik", "Varnish", "Webdis"

_CONFIGURATIONS = Path(__file__).with_name("configurations")
_BODIES = {"1k": 1024, "100k": 102_400}


class Lab:
    """Everything that is started here is ended when it is left."""

    def __init__(self, tools: Tools, threads: int, under: Sequence[str] = ()) -> None:
        """With `under`, the beginning of a command, workers run under that program."""
        self._tools = tools
        self._under = under
        self._threads = str(threads)
        self._started = itertools.count()

    def __enter__(self) -> "Lab":
        with contextlib.ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollgate-bench-")))
            self._start_upstream(stack)
            self._issuer = TokenIssuer(self._directory)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has(self, gateway: str) -> bool:
        needs = {NGINX_LUA: self._tools.lua_modules, NGINX: self._tools.lua_modules, TRAEFIK: self._tools.traefik,
                 BEFORE: self._tools.before, VARNISH: self._tools.varnish, WEBDIS: self._tools.webdis}
        return needs.get(gateway, self._tools.tollgate) is not None

    def tokens(self, count: int) -> Path:
        """A file with the session tokens of so many users."""
        file = self._directory / f"tokens-{count}.txt"
        if not file.exists():
            self._issuer.write_tokens(count, file)
        return file

    def start(self, stack: contextlib.ExitStack, gateway: str, store: Store) -> tuple[Program, int]:
        """A fresh process of it that counts there, and its port, which it may not listen on yet."""
        if gateway in (TOLLGATE, BEFORE):
            program = self._tools.before if gateway == BEFORE else self._tools.tollgate
            return self.start_tollgate(stack, store, program=program)
        directory = self._new_directory()
        port, other = free_ports(2)
        values = self._values | {
            "REDIS": str(store.ports[0]), "SCRIPT": self.count_script(store), "DIRECTORY": str(directory),
            "COUNTING": str(other if gateway == NGINX else port), "PLAIN": str(port if gateway == NGINX else other),
            "PORT": str(port)}
        if gateway in (NGINX_LUA, NGINX):
            return self._start_nginx(stack, "nginx-lua", directory, values), port
        if gateway == TRAEFIK:
            _configure("traefik-routes.yml", directory, values)
            file = _configure("traefik.yml", directory, values)
            command = [str(self._tools.traefik), f"--configFile={file}"]
            return self._start(stack, f"traefik-{port}", command, {"GOMAXPROCS": self._threads}), port
        if gateway == VARNISH:
            command = [
                "varnishd", "-F", "-j", "none", "-n", str(directory / "state"), "-a", f"127.0.0.1:{port}",
                "-f", _configure("varnish.vcl", directory, values), "-s", "malloc,32m",
                "-p", f"thread_pools={self._threads}", "-p", "thread_pool_max=1000"]
            return self._start(stack, f"varnish-{port}", command), port
        return self._start(stack, f"webdis-{port}", ["webdis", _configure("webdis.json", directory, values)]), port

    @staticmethod
    def count_script(store: Store) -> str:
        """The digest of the peers' script, which the store has then."""
        with Redis(store.ports[0]) as redis:
            replies = redis.pipeline([("SCRIPT", "LOAD", (_CONFIGURATIONS / "count.lua").read_text())])
        return str(replies[0])

    def start_store(self, stack: contextlib.ExitStack, label: str, shards: int, *options: str) -> Store:
        """Empty: one Redis, or a cluster of so many."""
        is_cluster = shards > 1
        # Each port's neighbour is the bus's.
        free = (port for port in free_ports(8 * shards + 8) if port % 2 == 0 and tcp_problem(bus_port(port)))
        ports = list(itertools.islice(free, shards))
        programs = []
        for port in ports:
            cluster = ["--cluster-enabled", "yes", "--cluster-port", str(bus_port(port)),
                       "--cluster-config-file", f"nodes-{port}.conf"] if is_cluster else []
            programs.append(self._start_redis(stack, port, *cluster, *options))
        store = Store(label, ports, programs, is_cluster)
        if is_cluster:
            store.form_cluster()
        return store

    def start_tollgate(
        self, stack: contextlib.ExitStack, store: Store, threads: int | None = None, program: Path | None = None
    ) -> tuple[Program, int]:
        """A worker that counts there and is ready, and its port."""
        port, admin = free_ports(2)
        directory = self._new_directory()
        worker = self._start(stack, f"tollgate-{port}", [
            *self._under, str(program or self._tools.tollgate), "serve"], {
            "TOLLGATE_CONFIG": _configure("tollgate.yaml", directory, self._values), "TOLLGATE_HOST": "127.0.0.1",
            "TOLLGATE_PORT": str(port), "TOLLGATE_ADMIN_PORT": str(admin),
            "TOLLGATE_THREADS": str(threads or self._threads), "TOLLGATE_LOG_LEVEL": "warning",
            "TOLLGATE_ACCESS_LOG": "off",
            "TOLLGATE_MAX_CONNECTIONS": "11000",  # For those of the case `idle`.
            "TOLLGATE_DRAIN_SECONDS": "0", "TOLLGATE_IDLE_TIMEOUT_SECONDS": "3600", "REDIS_URL": store.url(),
            "REDIS_TIMEOUT_MS": "2000",  # A machine that is busy with other things makes no turn fail.
            "CLERK_JWT_KEY": self._issuer.public_key(),
        })
        worker.wait_until_fine(lambda: http_problem(admin, "/readyz", {}))
        return worker, port

    def new_file(self, name: str, text: str) -> Path:
        file = self._directory / name
        file.write_text(text)
        return file

    def _start_redis(self, stack: contextlib.ExitStack, port: int, *options: str) -> Program:
        directory = self._directory / f"redis-{port}"
        directory.mkdir()
        program = self._start(stack, f"redis-{port}", [
            "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
            "--maxmemory-policy", "noeviction", "--dir", str(directory), *options])
        program.wait_until_fine(lambda: tcp_problem(port))
        return program

    def _start_upstream(self, stack: contextlib.ExitStack) -> None:
        [port] = free_ports(1)
        directory = self._new_directory()
        (directory / "www").mkdir()
        for name, size in _BODIES.items():
            (directory / "www" / name).write_text("x" * size)
        # As root nginx would let its workers be a user who cannot read the directory.
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        self._values = {
            "UPSTREAM": str(port), "MODULES": str(self._tools.lua_modules), "THREADS": self._threads, "USER": user}
        program = self._start_nginx(stack, "upstream", directory, self._values)
        program.wait_until_fine(lambda: tcp_problem(port))

    def _start_nginx(
        self, stack: contextlib.ExitStack, name: str, directory: Path, values: dict[str, str]
    ) -> Program:
        (directory / "temporary").mkdir()
        file = _configure(f"{name}.conf", directory, values)
        return self._start(stack, f"{name}-{directory.name}", [
            "nginx", "-p", str(directory), "-e", "stderr", "-c", file])

    def _new_directory(self) -> Path:
        directory = self._directory / f"program-{next(self._started)}"
        directory.mkdir()
        return directory

    def _start(
        self, stack: contextlib.ExitStack, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> Program:
        program = Program(name, command, self._directory, environment)
        stack.callback(program.stop)
        return program


def _configure(name: str, directory: Path, values: dict[str, str]) -> str:
    """Fills in what stands between two @, and returns the file."""
    text = (_CONFIGURATIONS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    file = directory / name
    file.write_text(text)
    return str(file)
