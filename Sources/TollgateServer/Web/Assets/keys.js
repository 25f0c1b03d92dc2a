// The list of secret keys. A row is changed in place, so that its buttons keep the focus.

import {byId, element, setText, show, showText} from "./dom.js";
import {date, moment, number} from "./format.js";

export class KeyList {
  /// - rotate, revoke: called with a key when its button is pressed.
  constructor({rotate, revoke}) {
    this.actions = {rotate, revoke};
    this.rows = new Map();
  }

  show(keys, maximumKeys) {
    for (const key of keys) this.showRow(key);
    const present = new Set(keys.map((key) => key.id));
    for (const id of [...this.rows.keys()]) if (!present.has(id)) this.removeRow(id);
    show(byId("key-table"), keys.length > 0);
    show(byId("keys-empty"), keys.length === 0);
    byId("create-key").disabled = keys.length >= maximumKeys;
    showText(byId("keys-full"), keys.length >= maximumKeys
      ? `You have ${number(keys.length)} keys, the most there may be. Revoke one to make another.` : "");
  }

  /// Where the focus goes when the row that had it is gone.
  removeRow(id) {
    const {node} = this.rows.get(id);
    if (node.contains(document.activeElement)) byId("keys-title").focus();
    node.remove();
    this.rows.delete(id);
  }

  showRow(key) {
    const row = this.rows.get(key.id) ?? this.makeRow(key.id);
    row.key = key;
    const isExpired = key.expiresAt !== null && Date.parse(key.expiresAt) <= Date.now();
    setText(row.name, key.name);
    setText(row.id, key.id);
    showText(row.mode, key.mode === "live" ? "" : key.mode);
    showText(row.expired, isExpired ? "expired" : "");
    showText(row.previous, previousText(key));
    setText(row.scopes, key.scopes.length > 0 ? key.scopes.join(", ") : "none");
    setText(row.created, date(key.createdAt));
    setText(row.used, key.lastUsedAt ? moment(key.lastUsedAt) : "never");
    setText(row.expires, key.expiresAt ? date(key.expiresAt) : "never");
    row.rotate.disabled = isExpired;
    for (const name of row.names) setText(name, ` ${key.name}`);
  }

  makeRow(id) {
    const row = {names: []};
    const text = (name, attributes = {}) => (row[name] = element("span", attributes));
    const cell = (label, name, kind) =>
      element("td", {role: "cell", "data-label": label, class: kind}, text(name));
    const dateCell = (label, name) => cell(label, name, "is-moment");
    row.node = element("tr", {role: "row", "data-key": id},
      element("th", {role: "rowheader", scope: "row"},
        element("div", {class: "row"}, text("name"), text("mode", {class: "badge badge--accent"}),
          text("expired", {class: "badge badge--danger"})),
        text("id", {class: "mono muted"}), (row.previous = element("p", {class: "small muted"}))),
      cell("Scopes", "scopes", null), dateCell("Created", "created"),
      dateCell("Last used", "used"), dateCell("Expires", "expires"),
      element("td", {role: "cell", class: "is-actions"}, this.button(row, "rotate", "Rotate"), " ",
        this.button(row, "revoke", "Revoke")));
    byId("key-list").append(row.node);
    this.rows.set(id, row);
    return row;
  }

  button(row, action, label) {
    const name = element("span", {class: "visually-hidden"});
    row.names.push(name);
    row[action] = element("button", {class: "button button--small", type: "button",
      click: () => this.actions[action](row.key)}, label, name);
    return row[action];
  }
}

function previousText({previousUntil, previousLastUsedAt}) {
  if (!previousUntil || Date.parse(previousUntil) <= Date.now()) return "";
  const use = previousLastUsedAt ? `last used ${moment(previousLastUsedAt)}` : "not used yet";
  return `The old secret works until ${moment(previousUntil)} (${use}).`;
}
