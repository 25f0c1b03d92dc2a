// The keys of the user who is shown: a table, and what is done with one of them.

import {change, userPath} from "./adminapi.js";
import {confirm, showSecret} from "./dialogs.js";
import {byId, element, setText, show, showText} from "./dom.js";
import {moment} from "./format.js";
import {tellOutcome} from "./outcome.js";
import {fillTable} from "./rows.js";

/// The keys as they were shown last, by their ids.
let present = new Map();
let owner = "";

/// - shown: gives the id of the user who is shown.
export function startKeys(shown) {
  byId("new-key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const user = shown();
    tellOutcome(byId("new-key-submit"), "keys-result", async () => {
      const {key, name} = await change("POST", userPath(user, "keys"), {name: byId("new-key-name").value.trim()});
      byId("new-key-name").value = "";
      showSecret({title: `The new key “${name}” of ${user}`, secret: key});
      return "";
    }, () => user === shown());
  });
}

export function clearKeys() {
  byId("new-key-form").reset();
  showText(byId("keys-result"), "");
}

/// - found: what the API said of a key that was searched for, or null.
export function showKeys({userId, keys, time}, found) {
  owner = userId;
  present = new Map(keys.map((key) => [key.id, key]));
  showText(byId("found-key"), foundText(found));
  fillTable("key", keys, "The user has no keys.", {
    key: ({id}) => id,
    make: makeRow,
    update: (row, key) => {
      const [name, state, ...cells] = row.children;
      const isExpired = key.expiresAt !== null && key.expiresAt <= time;
      setText(name.querySelector(".key-name"), key.name);
      show(name.querySelector(".badge"), key.id === found?.keyId);
      setText(state.firstChild, isExpired ? "expired" : key.mode === "live" ? "active" : `active, ${key.mode}`);
      const texts = [
        key.scopes.join(", ") || "none", moment(key.createdAt), key.lastUsedAt ? moment(key.lastUsedAt) : "never",
        key.expiresAt ? moment(key.expiresAt) : "never",
        key.previousUntil ? moment(key.previousUntil) : "–",
      ];
      texts.forEach((text, index) => setText(cells[index].firstChild, text));
      row.querySelector("[data-action=rotate]").disabled = isExpired;
      for (const each of row.querySelectorAll("button span")) setText(each, ` ${key.name}`);
    },
  });
}

function makeRow({id}) {
  const cell = (label) => element("td", {"role": "cell", "data-label": label}, element("span"));
  const button = (action, label, click) => element("button", {
    "class": "button button--small", "type": "button", "data-action": action, click,
  }, label, element("span", {class: "visually-hidden"}));
  return element("tr", {role: "row"},
    element("th", {role: "rowheader", scope: "row"}, element("span", {class: "key-name"}), " ",
      element("span", {class: "badge badge--accent", hidden: true}, "searched for"),
      element("div", {class: "mono muted"}, id)),
    cell("State"), cell("Scopes"), cell("Created"), cell("Last used"), cell("Expires"), cell("Old secret until"),
    element("td", {role: "cell", class: "is-actions"},
      button("rotate", "Rotate", () => askBeforeRotating(present.get(id))), " ",
      button("revoke", "Revoke", () => askBeforeRevoking(present.get(id)))));
}

function foundText(found) {
  if (!found) return "";
  if (found.kind === "platform") return "The key that was searched for is the user's publishable key.";
  if (found.status === "rotated") {
    return `The key that was searched for is of ${found.keyId}, and is not its present secret: it was rotated out.`;
  }
  if (found.status !== "active") return `The key that was searched for, ${found.keyId}, was revoked, or there never was one.`;
  if (found.isGenuine === false) {
    return `The key that was searched for names ${found.keyId}, and is none of its last two secrets: an older one, or made up.`;
  }
  return `The key that was searched for is “${found.name}”.`;
}

function askBeforeRevoking({id, name}) {
  const user = owner;
  confirm({
    title: `Revoke “${name}” of ${user}?`, label: "Revoke",
    text: `Calls with ${id} are refused from the next one on. This cannot be undone.`,
    run: () => change("DELETE", userPath(user, "keys", id)),
    done: () => showText(byId("keys-result"), `“${name}” is revoked.`),
  });
}

function askBeforeRotating({id, name}) {
  const user = owner;
  confirm({
    title: `Rotate “${name}” of ${user}?`, label: "Rotate",
    text: `${id} gets a new secret, which is shown once. The old one works for another day; revoke the key if it is in wrong hands.`,
    run: () => change("POST", userPath(user, "keys", id, "rotate"), {overlapSeconds: 86_400}),
    done: ({key}) => showSecret({title: `The new secret of “${name}”`, secret: key}),
  });
}
