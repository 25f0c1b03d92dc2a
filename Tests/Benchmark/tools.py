"""What the benchmark needs, what of it is here, and what machine this is."""
import dataclasses
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = {"redis-server": "redis-server", "nginx": "nginx-light", "openssl": "openssl", "wrk": "wrk",
             "valgrind": "valgrind"}
_ALWAYS_NEEDED = ("redis-server", "nginx", "openssl")
_LUA_PACKAGES = "libnginx-mod-http-lua lua-nginx-redis lua-resty-core"


class ToolError(Exception):
    """Something is missing without which nothing can be measured."""


@dataclasses.dataclass(frozen=True)
class Tools:
    tollgate: Path

    # Where nginx has its modules; None when those for Lua are not there.
    lua_modules: Path | None
    traefik: Path | None
    varnish: Path | None
    webdis: Path | None

    # Another build of Tollgate, that it is to be compared with.
    before: Path | None

    @property
    def missing_peers(self) -> list[str]:
        """Each with how to install it."""
        peers = [(self.lua_modules, f"nginx+Lua: apt-get install {_LUA_PACKAGES}"),
                 (self.traefik, "Traefik: Tests/Benchmark/install"),
                 (self.varnish, "Varnish: apt-get install varnish varnish-redis"),
                 (self.webdis, "Webdis: apt-get install webdis"),
                 (self.before, "an earlier build of Tollgate: --before PROGRAM")]
        return [remedy for found, remedy in peers if not found]

    def versions(self) -> str:
        commands = {"Tollgate": (str(self.tollgate), "--version"), "nginx": ("nginx", "-v"),
                    "Redis": ("redis-server", "-v"), "wrk": ("wrk", "-v")}
        if self.traefik:
            commands["Traefik"] = (str(self.traefik), "version")
        if self.varnish:
            commands["Varnish"] = ("varnishd", "-V")
        found = {name: re.search(r"\d+\.\d+\.\d+", _output(*command)) for name, command in commands.items()}
        return ", ".join(f"{name} {version[0] if version else '?'}" for name, version in found.items())


def find_tools(tollgate: Path, measuring_tool: str, before: Path | None = None) -> Tools:
    """Fails with the names of all that is missing."""
    problems = [f"{tool} is missing: apt-get install {_PACKAGES[tool]}"
                for tool in (*_ALWAYS_NEEDED, measuring_tool) if not shutil.which(tool)]
    if not Path("/proc/self/stat").exists():
        problems.append("There is no /proc to read CPU and memory from: run it on Linux.")
    problems += [f"{program} is missing: make build" for program in (tollgate, before)
                 if program and not os.access(program, os.X_OK)]
    if problems:
        raise ToolError("\n".join(problems))
    traefik = _ROOT / ".build/bench-venv/bin/traefik"
    return Tools(
        tollgate.resolve(), _lua_modules(), traefik if traefik.exists() else None,
        _program("varnishd") if any(Path("/usr/lib").glob("*/varnish/vmods/libvmod_redis.so")) else None,
        _program("webdis"), before and before.resolve())


def _program(name: str) -> Path | None:
    path = shutil.which(name)
    return Path(path) if path else None


def default_tollgate() -> Path:
    return _ROOT / ".build/release/tollgate"


def _lua_modules() -> Path | None:
    stated = re.search(r"--modules-path=(\S+)", _output("nginx", "-V"))
    modules = Path(stated[1] if stated else "/usr/lib/nginx/modules")
    needed = [modules / "ndk_http_module.so", modules / "ngx_http_lua_module.so",
              Path("/usr/share/lua/5.1/nginx/redis.lua"), Path("/usr/share/lua/5.1/resty/core.lua")]
    return modules if all(file.exists() for file in needed) else None


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return (f"{len(os.sched_getaffinity(0))} cores, {model[1] if model else platform.machine()}, "
            f"Linux {platform.release()}, load average before: {os.getloadavg()[0]:.2f}")


def _output(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return run.stdout + run.stderr
