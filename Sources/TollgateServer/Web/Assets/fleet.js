// What the workers and Redis say: figures, refusals, users, workers, webhooks, Redis.

import {byId, element, setAttribute, setText, show} from "./dom.js";
import {moment, number} from "./format.js";
import {fillFacts, fillTable, reconcile} from "./rows.js";

const reasons = {
  "rate-limit-exceeded": "Too many in one minute",
  "quota-exceeded": "The month's calls are used up",
  "idempotency-key-reused": "Idempotency key of another request",
  "idempotency-key-in-use": "The same request is in progress",
  "service-unavailable": "Redis could not be asked",
  "session-token-missing": "No credential",
  "token-invalid": "Not a session token",
  "token-expired": "Session token has expired",
  "token-invalid-signature": "Session token not signed by Clerk",
  "jwk-failed-to-load": "Clerk's keys could not be loaded",
  "key-malformed": "Not an API key",
  "key-checksum-mismatch": "Mistyped API key",
  "key-unknown": "No such API key",
  "key-revoked": "API key was revoked",
  "key-expired": "API key has expired",
  "scope-missing": "API key is good for other things",
  "address-not-allowed": "API key may not be used from the address that it came from",
};

/// Of the users that are told of; the others are suggested only.
const usersShown = 10;

const redisAway = "Not known while Redis cannot be asked.";

export function showFleet(overview) {
  showFigures(overview);
  showRefusals(overview.traffic.refused);
  showUsers(overview.topUsers);
  showWorkers(overview);
  showWebhooks(overview.webhooks);
  showReconciliation(overview.reconciliation);
  showUnpriced(overview.unpriced);
  showRedis(overview.redis);
}

export const userLink = (userId) => `#user=${encodeURIComponent(userId)}`;

function showFigures({traffic, workers, webhooks, redis}) {
  setText(byId("requests-per-second"), number(traffic.requestsPerSecond));
  setText(byId("admitted"), number(traffic.admitted));
  setText(byId("refused"), number(traffic.refused.reduce((sum, {count}) => sum + count, 0)));
  setText(byId("worker-count"), redis.state === "unavailable" ? "?" : number(workers.length));
  setText(byId("waiting-count"), webhooks ? number(webhooks.waiting) : "?");
  setText(byId("latency"), redis.latencyMilliseconds === null ? "–" : `${number(redis.latencyMilliseconds)} ms`);
}

function showRefusals(refused) {
  fillTable("refusal", refused, "Nothing was refused in the last minute.", {
    key: ({reason}) => reason,
    make: ({reason}) => element("tr", {},
      element("th", {scope: "row"}, ...(reasons[reason] ? [reasons[reason], " "] : []),
        element("code", {class: "muted"}, reason)),
      element("td", {class: "is-number"})),
    update: (row, {count}) => setText(row.lastChild, number(count)),
  });
}

function showUsers(topUsers) {
  const users = topUsers?.users ?? [];
  fillTable("user", users.slice(0, usersShown), topUsers ? "No user has called today." : redisAway, {
    key: ({userId}) => userId,
    make: ({userId}) => element("tr", {},
      element("th", {scope: "row", class: "mono"}, element("a", {href: userLink(userId)}, userId)),
      element("td", {class: "is-number"})),
    update: (row, {calls}) => setText(row.lastChild, number(calls)),
  });
  reconcile(byId("known-users"), users, {
    key: ({userId}) => userId,
    make: ({userId}) => element("option", {value: userId}),
    update: () => {},
  });
}

function showWorkers({workers, worker: own, time}) {
  const cell = (label, isNumber = false) => element("td", {
    "role": "cell", "data-label": label, "class": isNumber ? "is-number" : null,
  }, element("span"));
  reconcile(byId("worker-list"), workers, {
    key: ({id}) => id,
    make: () => element("tr", {role: "row"},
      element("th", {role: "rowheader", scope: "row"}, element("span", {class: "mono"}),
        element("div", {class: "muted small"})),
      element("td", {"role": "cell", "data-label": "State"}, element("span", {class: "badge"})),
      cell("Host and process"), cell("Running for"), cell("Requests/s", true), cell("Admitted/min", true),
      cell("Refused/min", true)),
    update: (row, worker) => {
      const [name, state, host, age, ...figures] = row.children;
      setText(name.firstChild, worker.address || "not serving yet");
      setText(name.lastChild, `id ${worker.id}${worker.id === own ? ", answers this page" : ""}`);
      setText(state.firstChild, worker.isDraining ? "Draining" : "Serving");
      setAttribute(state.firstChild, "class", `badge badge--${worker.isDraining ? "warning" : "good"}`);
      setText(host.firstChild, `${worker.host}, ${worker.pid}, version ${worker.version}`);
      setText(age.firstChild, duration((Date.parse(time) - Date.parse(worker.startedAt)) / 1000));
      const {requestsPerSecond, admitted, refused} = worker.traffic;
      const values = [requestsPerSecond, admitted, refused.reduce((sum, {count}) => sum + count, 0)];
      values.forEach((value, index) => setText(figures[index].firstChild, number(value)));
    },
  });
}

function showWebhooks(webhooks) {
  const events = webhooks?.events ?? [];
  fillTable("event", events, webhooks ? "No event waits: all that Stripe has sent was carried out." : redisAway, {
    key: ({id}) => id,
    make: ({id, since}) => element("tr", {},
      element("th", {scope: "row", class: "mono"}, id), element("td", {}, moment(since))),
    update: () => {},
  });
  const more = (webhooks?.waiting ?? 0) - events.length;
  setText(byId("event-more"), `And ${number(more)} more.`);
  show(byId("event-more"), more > 0);
}

function showReconciliation(last) {
  show(byId("reconciliation"), Boolean(last));
  if (!last) return;
  const failures = last.failures > 0 ? `, ${number(last.failures)} failed (see the log)` : "";
  const all = last.wentThroughAllAt ? ` All subscriptions were compared ${moment(last.wentThroughAllAt)}.` : "";
  setText(byId("reconciliation"), `Compared with Stripe ${moment(last.ranAt)}: ${number(last.checked)} looked at, `
    + `${number(last.mended)} mended${failures}.${all}`);
}

function showUnpriced(unpriced) {
  const count = unpriced?.count ?? 0;
  show(byId("unpriced"), count > 0);
  if (count === 0) return;
  const some = unpriced.subscriptions.join(", ") + (count > unpriced.subscriptions.length ? ", …" : "");
  setText(byId("unpriced"), `${number(count)} live ${count === 1 ? "subscription has" : "subscriptions have"} a price that `
    + `sells no plan: ${some}. Add the price to the priceIds of a plan.`);
}

function showRedis({state, latencyMilliseconds, server: first, cluster}) {
  const [word, kind] = {ok: ["Well", "good"], warning: ["Needs attention", "warning"]}[state] ?? ["Unavailable", "danger"];
  setText(byId("redis-state"), word);
  setAttribute(byId("redis-state"), "class", `badge badge--${kind}`);
  const server = cluster ? together(cluster) : first;
  const memory = server && (server.maxMemoryBytes
    ? `${bytes(server.usedMemoryBytes)} of ${bytes(server.maxMemoryBytes)}` : bytes(server.usedMemoryBytes));
  fillFacts(byId("redis-facts"), [
    ["Answers in", latencyMilliseconds === null ? null : `${number(latencyMilliseconds)} ms`],
    ["Servers of the cluster", cluster && `${number(cluster.length)}: ${cluster.map(each => each.address).join(", ")}`],
    ["Version", server?.version],
    ["Role", server && {master: "primary", slave: "replica"}[server.role]],
    ["Running for", server && duration(server.uptimeSeconds)],
    ["Memory", memory],
    ["When memory is full", server?.maxMemoryPolicy],
    ["Evicted keys", server && number(server.evictedKeys)],
    ["Connected clients", server && number(server.connectedClients)],
    ["Commands per second", server && number(server.commandsPerSecond)],
    ["Append-only file", server && (server.appendOnlyFile ? "on" : "off")],
    ["Last snapshot", server?.lastSnapshotAt && `${moment(server.lastSnapshotAt)}${server.lastSnapshotOk ? "" : ", failed"}`],
  ]);
}

/// A cluster's servers as if they were one: what is counted is added up, and what may be in order is so if it is for all.
function together(cluster) {
  const servers = cluster.map(each => each.server).filter(server => server);
  if (servers.length === 0) return null;
  const sum = name => servers.reduce((total, server) => total + (server[name] ?? 0), 0);
  const least = name => servers.map(server => server[name]).sort((one, other) => one - other)[0];
  return {
    ...servers[0], uptimeSeconds: least("uptimeSeconds"), usedMemoryBytes: sum("usedMemoryBytes"),
    maxMemoryBytes: servers.every(server => server.maxMemoryBytes) ? sum("maxMemoryBytes") : null,
    evictedKeys: sum("evictedKeys"), connectedClients: sum("connectedClients"),
    commandsPerSecond: sum("commandsPerSecond"), appendOnlyFile: servers.every(server => server.appendOnlyFile),
    lastSnapshotOk: servers.every(server => server.lastSnapshotOk),
  };
}

function bytes(count) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  const value = count / 1024 ** power;
  return `${number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))} ${units[power]}`;
}

/// The two largest units: 3 days 4 hours.
function duration(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(left / 86_400), "day"], [Math.floor(left / 3600) % 24, "hour"], [Math.floor(left / 60) % 60, "minute"],
    [left % 60, "second"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "less than a second";
  return parts.slice(first, first + 2).filter(([count]) => count > 0)
    .map(([count, unit]) => `${number(count)} ${unit}${count === 1 ? "" : "s"}`).join(" ");
}
