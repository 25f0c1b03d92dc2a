"""What a page opens that cannot send Authorization: a WebSocket and an EventSource, as the guide APIKeys says."""
import contextlib
import json
from typing import Any

from case import BrowserTest
from upstream import running_upstream
from worker import Worker, running_worker

_ROUTES = """
routes:
  - {{name: page, path: /page, auth: none, upstreams: "{upstream}"}}
  - {{name: events, path: /events, upstreams: "{upstream}"}}
  - {{name: socket, path: /socket, upstreams: "{upstream}"}}
"""

_TICKET = """
async function ticket(token) {
  const answer = await fetch('/tickets', {method: 'POST', headers: {Authorization: `Bearer ${token}`}});
  return (await answer.json()).ticket;
}
"""

_SOCKET = """
function socket(url, protocols) {
  return new Promise((resolve) => {
    const opened = new WebSocket(url.replace('http', 'ws'), protocols);
    opened.onmessage = ({data}) => { resolve({protocol: opened.protocol, ...JSON.parse(data)}); opened.close(); };
    opened.onerror = () => resolve({failed: true});
  });
}
"""

_EVENTS = """
function events(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    source.onmessage = ({data}) => { resolve(JSON.parse(data)); source.close(); };
    source.onerror = () => resolve({failed: true, state: source.readyState});
  });
}
"""


class Sockets(BrowserTest):
    expected_in_console = (r"WebSocket connection to .* failed", r"status of 401")

    def setUp(self) -> None:
        super().setUp()
        self.token = self.development.token(self.new_user())

    @contextlib.contextmanager
    def page(self) -> Any:
        with running_upstream() as upstream, \
                running_worker(self.development, _ROUTES.format(upstream=upstream)) as worker:
            self.browser.driver.get(f"{worker.gateway}/page")
            yield worker

    def run_in_page(self, worker: Worker, text: str) -> Any:
        """What the promise of an expression comes to."""
        script = f"const [token, gateway, done] = arguments; {_TICKET}{_SOCKET}{_EVENTS} ({text}).then(done);"
        return self.browser.driver.execute_async_script(script, self.token, worker.gateway)

    def test_subprotocol_opens_a_websocket(self) -> None:
        with self.page() as worker:
            offered = "['tollgate.bearer', `tollgate.bearer.${token}`]"
            alone = self.run_in_page(worker, f"socket(gateway + '/socket', {offered})")
            self.assertEqual((alone["protocol"], alone["offered"]), ("tollgate.bearer", None))
            self.assertIn("user_test", alone["user"])
            offered = "['chat', 'tollgate.bearer', `tollgate.bearer.${token}`]"
            chat = self.run_in_page(worker, f"socket(gateway + '/socket', {offered})")
            self.assertEqual((chat["protocol"], chat["offered"]), ("chat", "chat"))
            self.assertNotIn(self.token, json.dumps([alone, chat]))

    def test_nothing_opens_without_a_credential(self) -> None:
        with self.page() as worker:
            for protocols in ("[]", "['chat']", "['tollgate.bearer']", "['tollgate.bearer', 'tollgate.bearer.x']"):
                answer = self.run_in_page(worker, f"socket(gateway + '/socket', {protocols})")
                self.assertEqual(answer, {"failed": True}, protocols)

    def test_ticket_opens_either_once(self) -> None:
        with self.page() as worker:
            opened = self.run_in_page(
                worker, "ticket(token).then((t) => socket(`${gateway}/socket?room=7&tollgate_ticket=${t}`))")
            self.assertEqual((opened["target"], opened["protocol"]), ("/socket?room=7", ""))
            events = self.run_in_page(worker, """
                ticket(token).then(async (t) => {
                  const url = `${gateway}/events?tollgate_ticket=${t}`;
                  return [await events(url), await events(url)];
                })""")
            self.assertEqual(events[0]["target"], "/events")
            self.assertIn("user_test", events[0]["user"])
            # CLOSED: a browser gives up at 401.
            self.assertEqual(events[1], {"failed": True, "state": 2})
