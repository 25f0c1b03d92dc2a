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
from typing import NamedTuple

from redis import Command

# From the alphabet of RFC 4648 to Crockford's in lower case.
_CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")


def _users(count: int) -> list[str]:
    return [user_name(number) for number in range(count)]


def user_name(number: int) -> str:
    """As long as Clerk's."""
    return f"user_{number:027d}"


class UserKey(NamedTuple):
    user: str
    id: str
    text: str

    @staticmethod
    def make(user: str) -> "UserKey":
        """`sk_live_<id><user>_<secret><checksum>`"""
        digits = _base32(os.urandom(10))
        text = f"sk_live_{digits}{_base32(user.encode())}_{_base32(os.urandom(32))}"
        return UserKey(user, f"key_{digits}", text + _base32(zlib.crc32(text.encode()).to_bytes(4, "big")))

    def __str__(self) -> str:
        """The line of a file of credentials."""
        return f"{self.user} {self.text}\n"

    def record(self) -> list[Command]:
        """The commands that let Tollgate know it."""
        now = time.gmtime()
        fields = {
            "name": "bench", "mode": "live", "scopes": "*", "status": "active",
            "createdAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
            "hash": hashlib.sha256(self.text.encode()).hexdigest(),
        }
        return [
            ("HSET", f"key:{{{self.user}}}:{{{self.id}}}", *itertools.chain(*fields.items())),
            ("ZADD", f"keys:{{{self.user}}}", time.strftime("%Y%m%d%H%M%S", now), self.id),
        ]


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().translate(_CROCKFORD).rstrip("=")


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
