// What operators have decided about the user who is shown, and taking it back.

import {change, userPath} from "./adminapi.js";
import {byId, element, setText, showText} from "./dom.js";
import {calls, moment, number} from "./format.js";
import {tellOutcome} from "./outcome.js";
import {fillTable} from "./rows.js";

export function clearTerms() {
  showText(byId("terms-result"), "");
}

/// - explained: what the API says of a user.
export function showTerms(explained) {
  const {userId} = explained;
  fillTable("terms", decisions(explained), "Nothing: the plan's limits count.", {
    key: ({id}) => `${userId} ${id}`,
    make: ({id, path, name}) => element("tr", {role: "row"},
      element("th", {role: "rowheader", scope: "row"}),
      element("td", {"role": "cell", "data-label": "Reason"}, element("span")),
      element("td", {"role": "cell", "data-label": "Until"}, element("span")),
      element("td", {role: "cell", class: "is-actions"}, takeBackButton(userId, id, path, name))),
    update: (row, {text, reason, until}) => {
      setText(row.children[0], text);
      setText(row.children[1].firstChild, reason ?? "–");
      setText(row.children[2].firstChild, until);
    },
  });
}

function takeBackButton(userId, id, path, name) {
  const button = element("button", {class: "button button--small", type: "button", "data-decision": id, click: () => {
    tellOutcome(button, "terms-result", async () => {
      await change("DELETE", userPath(userId, ...path));
      return `The ${name} is taken back.`;
    });
  }}, "Take back", element("span", {class: "visually-hidden"}, ` the ${name}`));
  return button;
}

function decisions({operator, usage, time}) {
  const {block, limits, grants} = operator;
  const end = (until) => until === null ? "taken back" : `${moment(until)}${until <= time ? ", which is over" : ""}`;
  return [
    block && {id: "block", path: ["block"], name: "block", text: "Blocked", reason: block.reason, until: "taken back"},
    limits && {
      id: "limits", path: ["limits"], name: "limit", text: limitsText(limits), reason: limits.reason,
      until: end(limits.until),
    },
    ...grants.map((grant) => ({
      id: `grant ${grant.id}`, path: ["grants", grant.id], name: `grant of ${calls(grant.calls)}`,
      text: `${calls(grant.calls)} more${grant.period === null ? " in each period" : ""}`, reason: grant.reason,
      until: grant.until !== null ? end(grant.until) : grant.period === null ? "taken back"
        : grant.period < usage.periodStart ? "the end of a period that is over" : "the end of this period",
    })),
  ].filter(Boolean);
}

function limitsText({plan, quota, ratePerMinute}) {
  return [
    plan !== null && `Plan ${plan}`, quota !== null && `${calls(quota)} in a period`,
    ratePerMinute !== null && `${number(ratePerMinute)} a minute`,
  ].filter(Boolean).join(", ");
}
