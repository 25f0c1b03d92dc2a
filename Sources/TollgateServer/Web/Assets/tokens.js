// Tokens for the admin port: who may see and do what.

import {ask, change, numeric} from "./adminapi.js";
import {confirm, showSecret} from "./dialogs.js";
import {byId, element, setText, showText} from "./dom.js";
import {moment} from "./format.js";
import {tellOutcome} from "./outcome.js";
import {fillTable} from "./rows.js";

export const load = () => ask("/admin/v1/tokens");

export function start() {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    tellOutcome(byId("token-submit"), "tokens-result", async () => {
      const days = byId("token-days").value.trim();
      const {name, role, token} = await change("POST", "tokens", {
        name: byId("token-name").value.trim(), role: byId("token-role").value,
        ...(days !== "" && {expiresInDays: numeric(days)}),
      });
      byId("token-form").reset();
      showSecret({title: `The token of ${name}, ${role}`, secret: token});
      return "";
    });
  });
}

export function render({tokens}) {
  fillTable("token", tokens, "There is no token.", {
    key: ({name}) => name,
    make: ({name}) => element("tr", {role: "row"},
      element("th", {role: "rowheader", scope: "row", class: "mono"}, name),
      ...["Role", "Created", "Ends"].map((label) =>
        element("td", {"role": "cell", "data-label": label}, element("span"))),
      element("td", {role: "cell", class: "is-actions"},
        element("button", {class: "button button--small", type: "button", click: () => askBeforeRevoking(name)},
          "Revoke", element("span", {class: "visually-hidden"}, ` ${name}`)))),
    update: (row, {role, createdAt, expiresAt, isExpired}) => {
      const texts = [role, moment(createdAt), expiresAt ? `${moment(expiresAt)}${isExpired ? ", which is over" : ""}` : "never"];
      texts.forEach((text, index) => setText(row.children[1 + index].firstChild, text));
    },
  });
}

function askBeforeRevoking(name) {
  confirm({
    title: `Revoke the token of ${name}?`, label: "Revoke",
    text: "Requests with it are refused from the next one on. This cannot be undone.",
    run: () => change("DELETE", `tokens/${encodeURIComponent(name)}`),
    done: () => showText(byId("tokens-result"), `The token of ${name} is revoked.`),
  });
}
