// Alerts that were given up, and sending them again.

import {ask, change} from "./adminapi.js";
import {byId, element, setText, show, showText} from "./dom.js";
import {userLink} from "./fleet.js";
import {moment, number} from "./format.js";
import {tellOutcome} from "./outcome.js";
import {fillTable} from "./rows.js";

export const load = () => ask("/admin/v1/alerts?state=dead&limit=100");

export function start() {
  byId("replay-alerts").addEventListener("click", () => {
    tellOutcome(byId("replay-alerts"), "alerts-result", async () => {
      const {replayed} = await change("POST", "alerts/replay");
      return `${number(replayed)} ${replayed === 1 ? "is" : "are"} sent again.`;
    });
  });
}

export function render({counts, alerts}) {
  fillTable("alert", alerts, "No alert was given up.", {
    key: ({id}) => id,
    make: ({id, type, userId}) => {
      const button = element("button", {class: "button button--small", type: "button", click: () => replay(button, id)},
        "Replay", element("span", {class: "visually-hidden"}, ` ${id}`));
      const cell = (label) => element("td", {"role": "cell", "data-label": label}, element("span"));
      return element("tr", {role: "row"},
        element("th", {role: "rowheader", scope: "row"}, type, element("div", {class: "mono muted"}, id)),
        element("td", {"role": "cell", "data-label": "User"}, element("a", {class: "mono", href: userLink(userId)}, userId)),
        cell("Tries"), cell("Given up"), cell("Why"), element("td", {role: "cell", class: "is-actions"}, button));
    },
    update: (row, {attempts, endedAt, failure}) => {
      const texts = [number(attempts), moment(endedAt), failure ?? "–"];
      texts.forEach((text, index) => setText(row.children[2 + index].firstChild, text));
    },
  });
  show(byId("replay-alerts"), alerts.length > 0);
  const more = counts.dead - alerts.length;
  showText(byId("alert-more"), more > 0 ? `And ${number(more)} more.` : "");
}

function replay(button, id) {
  return tellOutcome(button, "alerts-result", async () => {
    await change("POST", `alerts/${encodeURIComponent(id)}/replay`);
    return `${id} is sent again.`;
  });
}
