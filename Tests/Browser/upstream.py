"""An API behind a route: a page, server-sent events, and a WebSocket. Each tells what it was asked."""
import base64
import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator

_WEBSOCKET_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self._socket()
        elif self.path.startswith("/events"):
            self._answer("text/event-stream", f"data: {self._told()}\n\n")
        else:
            self._answer("text/html", "<!doctype html><title>page</title><link rel=icon href=data:,>")

    def _told(self) -> str:
        """What the gateway has made of the request."""
        return json.dumps({"target": self.path, "user": self.headers.get("X-Tollgate-User"),
                           "offered": self.headers.get("Sec-WebSocket-Protocol")})

    def _answer(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _socket(self) -> None:
        """Says one message, and chooses `chat` when it is offered."""
        self.send_response(101)
        key = self.headers["Sec-WebSocket-Key"] + _WEBSOCKET_SUFFIX
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        if "chat" in self.headers.get("Sec-WebSocket-Protocol", ""):
            self.send_header("Sec-WebSocket-Protocol", "chat")
        self.end_headers()
        message = self._told().encode()
        length = [len(message)] if len(message) < 126 else [126, *len(message).to_bytes(2, "big")]
        self.wfile.write(bytes([0x81, *length]) + message)
        self.wfile.flush()
        self.rfile.read(2)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def running_upstream() -> Iterator[str]:
    """Gives its origin."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
