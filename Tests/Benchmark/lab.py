"""The bench itself: a private Redis, an upstream, and the gateways, on free ports and in a temporary directory."""
import contextlib
import itertools
import os
import pwd
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from credentials import TokenIssuer, write_keys
from programs import Program, free_ports, http_problem, tcp_problem
from redis import Redis
from stores import Store, bus_port
from tools import Tools

# The gateways. The third is nginx+Lua at its second port.
TOLLGATE, NGINX_LUA, NGINX, TRAEFIK = "Tollgate", "nginx+Lua", "nginx without counting", "Traefik"

_CONFIGURATIONS = Path(__file__).with_name("configurations")
_PORTS = ("REDIS", "UPSTREAM", "TOLLGATE", "ADMIN", "COUNTING", "PLAIN", "TRAEFIK")
_PORT_OF = {TOLLGATE: "TOLLGATE", NGINX_LUA: "COUNTING", NGINX: "PLAIN", TRAEFIK: "TRAEFIK"}
_BODIES = {"1k": 1024, "100k": 102_400}


class Lab:
    """Everything that is started here is ended when it is left."""

    def __init__(self, tools: Tools, threads: int, under: Sequence[str] = ()) -> None:
        """With `under`, the beginning of a command, workers run under that program."""
        self._tools = tools
        self._under = under
        self._threads = str(threads)
        self._ports = dict(zip(_PORTS, map(str, free_ports(len(_PORTS)))))

    def __enter__(self) -> "Lab":
        with contextlib.ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollgate-bench-")))
            self._start_redis(stack, int(self._ports["REDIS"]))
            self._values = self._configuration_values()
            self._start_upstream(stack)
            self._issuer = TokenIssuer(self._directory)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has(self, gateway: str) -> bool:
        needs = {NGINX_LUA: self._tools.lua_modules, NGINX: self._tools.lua_modules, TRAEFIK: self._tools.traefik}
        return needs.get(gateway, self._tools.tollgate) is not None

    def port(self, gateway: str) -> int:
        return int(self._ports[_PORT_OF[gateway]])

    def keys(self, count: int) -> Path:
        """A file with the keys of so many users."""
        file = self._directory / f"keys-{count}.txt"
        if not file.exists():
            with Redis(int(self._ports["REDIS"])) as redis:
                write_keys(redis, count, file)
        return file

    def tokens(self, count: int) -> Path:
        """A file with the session tokens of so many users."""
        file = self._directory / f"tokens-{count}.txt"
        if not file.exists():
            self._issuer.write_tokens(count, file)
        return file

    @contextlib.contextmanager
    def running(self, gateways: set[str]) -> Iterator[dict[str, Program]]:
        """Fresh processes of these gateways."""
        with contextlib.ExitStack() as stack:
            programs: dict[str, Program] = {}
            if TOLLGATE in gateways:
                redis, port, admin = (int(self._ports[name]) for name in ("REDIS", "TOLLGATE", "ADMIN"))
                programs[TOLLGATE] = self._start_tollgate(stack, f"redis://127.0.0.1:{redis}", port, admin)
            if gateways & {NGINX_LUA, NGINX}:
                programs[NGINX_LUA] = programs[NGINX] = self._start_nginx(stack, "nginx-lua")
            if TRAEFIK in gateways:
                programs[TRAEFIK] = self._start_traefik(stack)
            yield programs

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
        self, stack: contextlib.ExitStack, store: Store, threads: int | None = None
    ) -> tuple[Program, int]:
        """A worker that counts there and is ready, and its port."""
        port, admin = free_ports(2)
        worker = self._start_tollgate(stack, store.url(), port, admin, threads)
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
        for name in ("www", "temporary"):
            (self._directory / name).mkdir()
        for name, size in _BODIES.items():
            (self._directory / "www" / name).write_text("x" * size)
        program = self._start_nginx(stack, "upstream")
        program.wait_until_fine(lambda: tcp_problem(int(self._ports["UPSTREAM"])))

    def _start_tollgate(
        self, stack: contextlib.ExitStack, redis_url: str, port: int, admin: int, threads: int | None = None
    ) -> Program:
        return self._start(stack, f"tollgate-{port}", [*self._under, str(self._tools.tollgate), "serve"], {
            "TOLLGATE_CONFIG": self._configure("tollgate.yaml"), "TOLLGATE_HOST": "127.0.0.1",
            "TOLLGATE_PORT": str(port), "TOLLGATE_ADMIN_PORT": str(admin),
            "TOLLGATE_THREADS": str(threads or self._threads), "TOLLGATE_LOG_LEVEL": "warning",
            "TOLLGATE_DRAIN_SECONDS": "0", "TOLLGATE_IDLE_TIMEOUT_SECONDS": "3600", "REDIS_URL": redis_url,
            "REDIS_TIMEOUT_MS": "2000",  # A machine that is busy with other things makes no turn fail.
            "CLERK_JWT_KEY": self._issuer.public_key(),
        })

    def _start_nginx(self, stack: contextlib.ExitStack, name: str) -> Program:
        return self._start(stack, name, [
            "nginx", "-p", str(self._directory), "-e", "stderr", "-c", self._configure(f"{name}.conf")])

    def _start_traefik(self, stack: contextlib.ExitStack) -> Program:
        self._configure("traefik-routes.yml")
        command = [str(self._tools.traefik), f"--configFile={self._configure('traefik.yml')}"]
        return self._start(stack, "traefik", command, {"GOMAXPROCS": self._threads})

    def _start(
        self, stack: contextlib.ExitStack, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> Program:
        program = Program(name, command, self._directory, environment)
        stack.callback(program.stop)
        return program

    def _configuration_values(self) -> dict[str, str]:
        with Redis(int(self._ports["REDIS"])) as redis:
            [script] = redis.pipeline([("SCRIPT", "LOAD", (_CONFIGURATIONS / "count.lua").read_text())])
        # As root nginx would let its workers be a user who cannot read the directory.
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        return {**self._ports, "DIRECTORY": str(self._directory), "MODULES": str(self._tools.lua_modules),
                "SCRIPT": script, "THREADS": self._threads, "USER": user}

    def _configure(self, name: str) -> str:
        """Fills in what stands between two @, and returns the file."""
        text = (_CONFIGURATIONS / name).read_text()
        for key, value in self._values.items():
            text = text.replace(f"@{key}@", value)
        file = self._directory / name
        file.write_text(text)
        return str(file)
