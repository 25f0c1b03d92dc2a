// What became of the last requests: all, a user's, or the one of an id.

import {ask} from "./adminapi.js";
import {byId, element} from "./dom.js";
import {userLink} from "./fleet.js";
import {moment, number} from "./format.js";
import {fillTable} from "./rows.js";

/// - read: has the list read again.
export function start(read) {
  byId("requests-form").addEventListener("submit", (event) => {
    event.preventDefault();
    read();
  });
}

export function load() {
  const values = [["user", byId("requests-user").value.trim()], ["id", byId("requests-id").value.trim()]];
  const filter = values.filter(([, value]) => value !== "").map(([name, value]) => `&${name}=${encodeURIComponent(value)}`);
  return ask(`/admin/v1/requests?limit=50${filter.join("")}`);
}

export function render({requests}) {
  fillTable("request", requests, "No such request is remembered.", {
    key: ({time, requestId}) => `${time} ${requestId}`,
    make: ({time, requestId, method, path, status, verdict, user, durationMs, cause}) => {
      const cell = (label, content) => element("td", {"role": "cell", "data-label": label}, element("span", {}, content ?? "–"));
      return element("tr", {role: "row"},
        element("th", {role: "rowheader", scope: "row"}, element("span", {class: "mono"}, `${method} ${path}`),
          element("div", {class: "mono muted"}, requestId)),
        cell("When", moment(time)), cell("Status", status && String(status)), cell("Verdict", verdict),
        cell("User", user && element("a", {class: "mono", href: userLink(user)}, user)),
        cell("Took", durationMs === null ? null : `${number(durationMs)} ms`), cell("Why it failed", cause));
    },
    update: () => {},
  });
}
