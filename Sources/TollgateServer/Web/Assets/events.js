// Events of Stripe that wait to be carried out, and carrying one out again.

import {ask, change} from "./adminapi.js";
import {byId, element, setText, showText} from "./dom.js";
import {moment, number} from "./format.js";
import {tellOutcome} from "./outcome.js";
import {fillTable} from "./rows.js";

export const load = () => ask("/admin/v1/events?limit=100");

export function start() {
  byId("replay-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = byId("replay-id").value.trim();
    if (id === "") return showText(byId("events-result"), "Fill in: Event id.");
    replay(byId("replay-submit"), id);
  });
  byId("reconcile").addEventListener("click", () => tellOutcome(byId("reconcile"), "events-result", async () => {
    await change("POST", "reconciliation");
    return "A worker begins within half a minute.";
  }));
}

export function render({waiting, events, reconciliation}) {
  setText(byId("reconciled-at"), reconciliation ? `Last compared ${moment(reconciliation.ranAt)}: `
    + `${number(reconciliation.checked)} looked at, ${number(reconciliation.mended)} mended.` : "Never compared yet.");
  fillTable("stripe-event", events, "No event waits: all that Stripe has sent was carried out.", {
    key: ({id}) => id,
    make: ({id}) => {
      const button = element("button", {class: "button button--small", type: "button", click: () => replay(button, id)},
        "Replay", element("span", {class: "visually-hidden"}, ` ${id}`));
      return element("tr", {}, element("th", {scope: "row", class: "mono"}, id), element("td"), element("td"),
        element("td", {class: "is-actions"}, button));
    },
    update: (row, {state, since}) => {
      setText(row.children[1], state);
      setText(row.children[2], moment(since));
    },
  });
  const more = waiting - events.length;
  showText(byId("stripe-event-more"), more > 0 ? `And ${number(more)} more.` : "");
}

function replay(button, id) {
  return tellOutcome(button, "events-result", async () => {
    const {outcome} = await change("POST", `events/${encodeURIComponent(id)}/replay`);
    byId("replay-id").value = "";
    return `${id}: ${outcome}.`;
  });
}
