// The users there are, the one who called last first.

import {ask} from "./adminapi.js";
import {byId, element, setText} from "./dom.js";
import {userLink} from "./fleet.js";
import {moment, number} from "./format.js";
import {Pages} from "./pages.js";

/// What the list that is shown was asked for.
let filter = "";

const pages = new Pages("directory", {
  ask: (mark) => ask(`/admin/v1/users?limit=50${filter}${mark ? `&after=${encodeURIComponent(mark)}` : ""}`),
  items: ({users}) => users,
  row({userId, plan, calls, limit, subscription, blocked, lastAdmittedAt}) {
    const cell = (label, text) => element("td", {"role": "cell", "data-label": label}, element("span", {}, text));
    return element("tr", {role: "row"},
      element("th", {role: "rowheader", scope: "row", class: "mono"}, element("a", {href: userLink(userId)}, userId)),
      cell("Plan", plan), cell("Calls", `${number(calls)} of ${number(limit)}`),
      cell("Subscription", subscription ?? "–"), cell("Blocked", blocked ? "yes" : "no"),
      cell("Last call", lastAdmittedAt ? moment(lastAdmittedAt) : "never"));
  },
});

/// - read: has the list read again.
export function start(read) {
  pages.start();
  byId("directory-form").addEventListener("submit", (event) => {
    event.preventDefault();
    read();
  });
}

export function load() {
  const values = [["state", byId("directory-state").value], ["plan", byId("directory-plan").value.trim()]];
  filter = values.filter(([, value]) => value !== "").map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
  return pages.load();
}

export function render(page) {
  pages.render(page);
  setText(byId("directory-total"), `${number(page.total)} ${page.total === 1 ? "user is" : "users are"} known.`);
}
