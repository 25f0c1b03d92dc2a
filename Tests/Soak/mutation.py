"""Requests that are good, and what becomes of them by chance."""
import random
from collections.abc import Iterator

_HOSTS = (b"api.example.com", b"127.0.0.1:8080", b"[::1]", b"a..b", b"", b"x" * 300, b"api.example.com, b")
_PATHS = (
    b"/health", b"/verify-auth", b"/usage", b"/account", b"/keys", b"/keys/key_0123456789abcdef", b"/authorize/orders",
    b"/get-credentials", b"/create-checkout", b"/webhook/stripe", b"/dashboard", b"/up/livez", b"/git/a%2Fb",
    b"/store/a//b", b"/closed/x", b"/none", b"/", b"*", b"//x", b"/a/../b", b"/a;x/b", b"/%00", b"/" + b"a" * 5000,
    b"http://h/health", b"/health?x=%zz&y=" + b"1" * 200)
_METHODS = (b"GET",) * 3 + (
    b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"BREW", b"get", b"CONNECT")
_NUMBERS = (
    b"0", b"-1", b"1e300", b"-9e12", b"9223372036854775807", b"-9223372036854775808", b"18446744073709551616", b"nan",
    b"253402300800", b"-62167219300", b"0000-01-01T00:00:00Z", b"9999-12-31T23:59:59-23:59", b"1970-00-00T00:00:00Z")
_FIELDS = (
    b"X-Original-URI", b"X-Original-URL", b"X-Original-Method", b"X-Forwarded-For", b"X-Forwarded-Host", b"Forwarded",
    b"X_Forwarded_Host", b"Idempotency-Key", b"Upgrade", b"Cookie", b"Origin", b"Range",
    b"Access-Control-Request-Method", b"X-Request-Id", b"Stripe-Signature", b"Via", b"TE", b"Accept",
    b"X-Tollgate-User")

# These often end a connection, and with it the requests behind them.
_ENDING_FIELDS = (b"Expect", b"Connection", b"Keep-Alive")
_VALUES = _NUMBERS + _PATHS + (
    b"close", b"keep-alive", b"100-continue", b"websocket", b"trailers", b"t=-9223372036854775808,v1=0", b"https://a.b",
    b"for=\"[::1]:80\";host=x", b"::ffff:1.2.3.4", b"\xff\xfe", b"a, b, c", b"GET", b"x" * 2000)
_BODIES = tuple(
    b'{"name":"a","expiresAt":"%b"}' % number for number in _NUMBERS) + tuple(
    b'{"name":"a","expiresInDays":%b}' % number for number in _NUMBERS) + (
    b"", b"{}", b"[" * 3000, b'{"a":' * 3000, b'{"name":"\\ud800"}', b'{"tier":"pro"}', b"\x00\xff",
    b'{"overlapSeconds":-1}')

_MARKS = (
    b"\r\n", b"\n", b"\r", b"\x00", b":", b" ", b"%", b"Transfer-Encoding: chunked\r\n",
    b"\r\n\r\nffffffffffffffff\r\n")


class Mutations:
    """Makes requests. The same seed makes the same ones."""

    def __init__(self, credentials: list[bytes], seed: int) -> None:
        self._random = random.Random(seed)
        bare = [b"", b"Bearer", b"Bearer a.b.c", b"Basic Og==", b"Basic " + b"A" * 400, b"Bearer sk_live_" + b"0" * 90]
        self._credentials = credentials * 3 + bare

    def requests(self, count: int) -> Iterator[bytes]:
        """Requests that are framed well and strange in every other way: a connection outlives most of them."""
        choice, chance = self._random.choice, self._random.random
        for _ in range(count):
            lines = [
                b"%b %b HTTP/1.1" % (choice(_METHODS), choice(_PATHS)),
                b"Host: " + (choice(_HOSTS) if chance() < .005 else _HOSTS[0])]
            if chance() < .8:
                lines.append(b"X-Forwarded-For: 10.%d.%d.1" % tuple(self._random.randbytes(2)))
            if chance() < .6:
                lines.append(b"Authorization: " + self._altered(choice(self._credentials)))
            while chance() < .4:
                lines.append(choice(_FIELDS) + b": " + choice(_VALUES))
            if chance() < .01:
                lines.append(choice(_ENDING_FIELDS) + b": " + choice(_VALUES))
            body = choice(_BODIES) if chance() < .1 else b""
            if body:
                lines.append(b"Content-Length: %d" % len(body))
            yield b"\r\n".join(lines) + b"\r\n\r\n" + body

    def broken(self) -> bytes:
        """A request with bytes changed, left out, doubled or put in: perhaps none any more."""
        request = bytearray(next(self.requests(1)))
        for _ in range(self._random.randint(1, 8)):
            place = self._random.randrange(len(request)) if request else 0
            kind = self._random.randrange(5)
            if kind == 0:
                request[place:place + 1] = self._random.randbytes(1)
            elif kind == 1:
                del request[place:place + self._random.randint(1, 20)]
            elif kind == 2:
                request[place:place] = request[place:place + self._random.randint(1, 200)]
            elif kind == 3:
                request[place:place] = self._random.choice(_NUMBERS)
            else:
                request[place:place] = self._random.choice(_MARKS)
        return bytes(request)

    def _altered(self, credential: bytes) -> bytes:
        """One character in ten credentials is another."""
        if not credential or self._random.random() > .1:
            return credential
        place = self._random.randrange(len(credential))
        return credential[:place] + b"x" + credential[place + 1:]
