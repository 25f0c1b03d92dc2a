// What operators have changed, the latest first.

import {ask} from "./adminapi.js";
import {byId, element, show} from "./dom.js";
import {userLink} from "./fleet.js";
import {moment} from "./format.js";
import {tellOutcome} from "./outcome.js";

const pageSize = 50;

/// Where the next page begins. Null after the last.
let next = null;

export const load = () => ask(`/admin/v1/audit?limit=${pageSize}`);

export function start() {
  byId("audit-older").addEventListener("click", () => tellOutcome(byId("audit-older"), "audit-result", showOlder));
}

export function render(page) {
  byId("audit-list").replaceChildren();
  add(page);
  show(byId("audit-empty"), page.entries.length === 0);
}

async function showOlder() {
  const from = next;
  const page = await ask(`/admin/v1/audit?limit=${pageSize}&before=${encodeURIComponent(from)}`);
  // It was read anew meanwhile.
  if (from !== next) return "";
  const first = add(page);
  // The button may be gone, and those who read by the keyboard go on at the first that is new.
  first?.focus();
  return next === null ? "That is all." : "";
}

/// Returns the first row.
function add({entries, next: following}) {
  const rows = entries.map(row);
  byId("audit-list").append(...rows);
  next = following;
  show(byId("audit-older"), next !== null);
  return rows[0];
}

function row({time, who, action, subject, before, after, state}) {
  const cell = (label, ...content) => element("td", {"role": "cell", "data-label": label}, element("span", {}, ...content));
  return element("tr", {role: "row", tabindex: -1},
    element("th", {role: "rowheader", scope: "row", class: "is-moment"}, element("time", {datetime: time}, moment(time))),
    cell("Who", who), cell("What", element("code", {}, action)), cell("To whom", subjectNode(action, subject)),
    cell("Before", text(before)), cell("After", state === "begun" ? "begun: it may be done or not" : text(after)));
}

function subjectNode(action, subject) {
  if (subject === null) return "–";
  return /^(users|keys)\./.test(action) ? element("a", {class: "mono", href: userLink(subject)}, subject)
    : element("span", {class: "mono"}, subject);
}

const text = (value) => value === null ? "–" : element("span", {class: "mono"}, value);
