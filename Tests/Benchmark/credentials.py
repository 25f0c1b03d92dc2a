"""Users' API keys, written to Redis as Tollgate keeps them, and session tokens as Clerk signs them."""
import base64
import hashlib
import itertools
import json
import os
import subprocess
import time
import zlib
from pathlib import Path

from redis import Redis

# From the alphabet of RFC 4648 to Crockford's in lower case.
_CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")


def _users(count: int) -> list[str]:
    """Names as long as Clerk's."""
    return [f"user_{number:027d}" for number in range(count)]


def write_keys(redis: Redis, count: int, file: Path) -> None:
    """Makes a key for each of so many users, and a file with a line `<user> <key>` for each."""
    now = time.gmtime()
    keys = [(user, *_new_key(user)) for user in _users(count)]
    for start in range(0, count, 1000):
        records = (_record(*key, now) for key in keys[start:start + 1000])
        redis.pipeline(list(itertools.chain.from_iterable(records)))
    file.write_text("".join(f"{user} {text}\n" for user, _, text in keys))


def _new_key(user: str) -> tuple[str, str]:
    """The key's id and the key: `sk_live_<id><user>_<secret><checksum>`."""
    digits = _base32(os.urandom(10))
    text = f"sk_live_{digits}{_base32(user.encode())}_{_base32(os.urandom(32))}"
    return f"key_{digits}", text + _base32(zlib.crc32(text.encode()).to_bytes(4, "big"))


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().translate(_CROCKFORD).rstrip("=")


def _record(user: str, key_id: str, text: str, now: time.struct_time) -> list[tuple[str, ...]]:
    """The commands that let Tollgate know a key."""
    fields = {
        "name": "bench", "mode": "live", "scopes": "*", "status": "active",
        "createdAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    return [
        ("HSET", f"key:{{{user}}}:{{{key_id}}}", *itertools.chain(*fields.items())),
        ("ZADD", f"keys:{{{user}}}", time.strftime("%Y%m%d%H%M%S", now), key_id),
    ]


class TokenIssuer:
    """Stands in for Clerk: signs session tokens with a key of its own."""

    def __init__(self, directory: Path) -> None:
        self._key = directory / "issuer.pem"
        _openssl("genrsa", "-out", str(self._key), "2048")

    def public_key(self) -> str:
        """In PEM, for CLERK_JWT_KEY."""
        return _openssl("rsa", "-in", str(self._key), "-pubout").decode()

    def write_tokens(self, count: int, file: Path) -> None:
        """Signs a token for each of so many users, good for a day: a line `<user> <token>` for each."""
        file.write_text("".join(f"{user} {self._token(user)}\n" for user in _users(count)))

    def _token(self, user: str) -> str:
        now = int(time.time())
        header = {"alg": "RS256", "kid": "ins_bench", "typ": "JWT"}
        claims = {
            "azp": "https://app.example.com", "exp": now + 86_400, "iat": now, "iss": "https://clerk.example.com",
            "nbf": now - 10, "sid": user.replace("user", "sess"), "sub": user, "v": 2,
        }
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_base64(_openssl('dgst', '-sha256', '-sign', str(self._key), data=signed.encode()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout
