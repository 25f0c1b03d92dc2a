// What an operator decides about the user who is explained: sent to the admin port's API.

import {announce, byId, setText, show, showText, whileBusy} from "./dom.js";

const answerSeconds = 10;

/// Of each action what its field is for, and what is sent.
const actions = {
  grant: {field: "Calls", request: (user, value) => ["POST", `users/${user}/grants`, {calls: Number(value)}]},
  limit: {field: "Calls in a period", request: (user, value) => ["PUT", `users/${user}/limits`, {quota: Number(value)}]},
  unlimit: {request: (user) => ["DELETE", `users/${user}/limits`]},
  block: {field: "Reason, which the caller is told", request: (user, value) => ["POST", `users/${user}/block`, {reason: value}]},
  unblock: {request: (user) => ["DELETE", `users/${user}/block`]},
  reset: {request: (user) => ["POST", `users/${user}/reset`]},
  revoke: {request: (user) => ["DELETE", `users/${user}/keys`]},
};

/// - explained: the id of the user who is shown; - changed: called when something was.
export function startActions(explained, changed) {
  const choose = () => {
    const {field} = actions[byId("action").value];
    show(byId("action-value-field"), Boolean(field));
    setText(byId("action-value-label"), field ?? "");
    byId("action-value").value = "";
    showText(byId("action-result"), "");
  };
  byId("action").addEventListener("change", choose);
  byId("action-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const {field, request} = actions[byId("action").value];
    // An empty field is no number, and 0 calls would be taken for one.
    if (field && byId("action-value").value.trim() === "") return showText(byId("action-result"), `Fill in: ${field}.`);
    const call = request(encodeURIComponent(explained()), byId("action-value").value);
    whileBusy(byId("action-submit"), async () => {
      const result = await send(...call);
      showText(byId("action-result"), result);
      announce(result);
      changed();
    });
  });
  choose();
}

/// Whose key it is, by its text or its id: null for what is no key.
export async function ownerOfKey(text) {
  if (!/^(key_|sk_|pk_)/.test(text)) return null;
  const response = await ask("POST", "keys/owner", {key: text});
  const answer = await response.json().catch(() => ({}));
  return response.ok ? answer.userId : null;
}

async function send(method, path, body) {
  try {
    const response = await ask(method, path, body);
    const answer = await response.json().catch(() => ({}));
    return response.ok ? "Done." : answer.message ?? answer.error ?? `The worker answered with status ${response.status}.`;
  } catch {
    return "The worker does not answer.";
  }
}

function ask(method, path, body) {
  return fetch(`/admin/v1/${path}`, {
    method, body: body && JSON.stringify(body), headers: body ? {"Content-Type": "application/json"} : {},
    cache: "no-store", signal: AbortSignal.timeout(answerSeconds * 1000),
  });
}
