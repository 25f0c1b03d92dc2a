"""HTTP calls beside the browser's."""
import dataclasses
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


# Without the proxies that the environment may name: all is on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def request(method: str, url: str, headers: dict[str, str] | None = None, body: object = None) -> Answer:
    """The answer, whatever its status. The names of its fields are in lower case."""
    data = None if body is None else json.dumps(body).encode()
    return _send(urllib.request.Request(url, data, headers or {}, method=method))


def post_form(url: str, fields: dict[str, str]) -> Answer:
    """As a page's form does."""
    return _send(urllib.request.Request(url, urllib.parse.urlencode(fields).encode(), method="POST"))


def _send(call: urllib.request.Request) -> Answer:
    try:
        with _opener.open(call, timeout=10) as answer:
            return _answer(answer)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error)


def _answer(response: Any) -> Answer:
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, fields, response.read().decode())
