// What an operator decides about the user who is shown: sent to the admin port's API.

import {change, download, numeric, userPath} from "./adminapi.js";
import {confirm} from "./dialogs.js";
import {byId, element, showText} from "./dom.js";
import {tellOutcome} from "./outcome.js";

const calls = {name: "calls", label: "Calls", isNumber: true, isNeeded: true};
const reason = {name: "reason", label: "Reason (may be empty)"};
const until = {name: "until", label: "Last day (may be empty)", placeholder: "2027-01-31"};

/// Of each action what is filled in, which become the members of what is sent.
const actions = {
  grant: {
    method: "POST", part: "grants",
    fields: [calls, reason, until, {name: "every", label: "In each period", value: "period"}],
  },
  limit: {
    method: "PUT", part: "limits",
    fields: [
      {name: "quota", label: "Calls in a period", isNumber: true}, {name: "ratePerMinute", label: "Calls a minute", isNumber: true},
      {name: "plan", label: "Plan"}, until, reason,
    ],
  },
  unlimit: {method: "DELETE", part: "limits"},
  block: {
    method: "POST", part: "block", fields: [{...reason, label: "Reason, which the caller is told", isNeeded: true}],
  },
  unblock: {method: "DELETE", part: "block"},
  reset: {method: "POST", part: "reset"},
  revoke: {method: "DELETE", part: "keys"},
};

const chosenFields = () => actions[byId("action").value].fields ?? [];

/// - shown: gives the id of the user who is shown; - deleted: called with the id of one who was deleted.
export function startActions(shown, deleted) {
  byId("action").addEventListener("change", showFields);
  byId("action-form").addEventListener("submit", (event) => {
    event.preventDefault();
    decide(shown);
  });
  byId("export-user").addEventListener("click", () => {
    const user = shown();
    tellOutcome(byId("export-user"), "user-result", async () => {
      await download(`/admin/v1/${userPath(user, "export")}`, `${user}.json`);
      return "All that is known of the user is in the file that your browser saves.";
    }, () => user === shown());
  });
  byId("delete-user").addEventListener("click", () => askBeforeDeleting(shown(), deleted));
  showFields();
}

/// For the next user.
export function clearActions() {
  byId("action-form").reset();
  showFields();
  showText(byId("user-result"), "");
}

function showFields() {
  byId("action-fields").replaceChildren(...chosenFields().map(fieldNode));
  showText(byId("action-result"), "");
}

function fieldNode({name, label, isNumber, value, placeholder}) {
  const id = `action-${name}`;
  if (value) {
    return element("div", {class: "field"},
      element("label", {class: "choice"}, element("input", {id, type: "checkbox"}), ` ${label}`));
  }
  return element("div", {class: "field"}, element("label", {for: id}, label), element("input", {
    id, type: "text", autocomplete: "off", maxlength: 160, inputmode: isNumber ? "numeric" : null, placeholder: placeholder ?? null,
  }));
}

function decide(shown) {
  const {method, part} = actions[byId("action").value];
  const fields = chosenFields();
  const missing = fields.find(({name, isNeeded}) => isNeeded && byId(`action-${name}`).value.trim() === "");
  if (missing) {
    byId(`action-${missing.name}`).focus();
    return showText(byId("action-result"), `Fill in: ${missing.label}.`);
  }
  const members = Object.fromEntries(fields.map((field) => [field.name, content(field)])
    .filter(([, value]) => value !== null));
  const user = shown();
  tellOutcome(byId("action-submit"), "action-result", async () => {
    await change(method, userPath(user, part), fields.length > 0 ? members : undefined);
  }, () => user === shown());
}

/// Null for what is left empty.
function content({name, isNumber, value}) {
  const input = byId(`action-${name}`);
  if (value) return input.checked ? value : null;
  const text = input.value.trim();
  if (text === "") return null;
  return isNumber ? numeric(text) : text;
}

function askBeforeDeleting(user, deleted) {
  confirm({
    title: `Delete ${user}?`, label: "Delete", typed: user,
    text: "All that is kept of the user is deleted: counts, history, keys and what was bought. Keys end with the next call. "
      + "Neither Clerk nor Stripe is told, and it cannot be undone. Export the user first if you may be asked.",
    force: {code: "user-subscribed", label: "Delete all the same, with the subscription going on in Stripe"},
    run: (isForced) => change("DELETE", userPath(user) + (isForced ? "?force=true" : "")),
    done: () => deleted(user),
  });
}
