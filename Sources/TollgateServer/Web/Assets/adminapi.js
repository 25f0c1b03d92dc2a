// Calls of the admin port. The browser sends the operator's token itself, as the password that it asked for.

import {Refusal, SessionOver, Unreachable} from "./api.js";
import {element} from "./dom.js";

const answerSeconds = 10;

/// How long a file stays ready for the browser to save it.
const fileSeconds = 60;

/// What the document is told after a change, whether it went well or not: what is shown may be old.
export const changeEvent = "tollgate-change";

/// The members of the answer. Throws what `api.js` has.
export async function ask(path, method = "GET", body = undefined) {
  const response = await send(path, {
    method, body: body && JSON.stringify(body), headers: body ? {"Content-Type": "application/json"} : {},
    signal: AbortSignal.timeout(answerSeconds * 1000),
  });
  const answer = await response.json().catch(() => null);
  if (!answer) throw new Unreachable("The worker's answer broke off.");
  return answer;
}

/// Asks for a change: `path` is what follows `/admin/v1/`.
export async function change(method, path, body) {
  try {
    return await ask(`/admin/v1/${path}`, method, body);
  } finally {
    document.dispatchEvent(new Event(changeEvent));
  }
}

/// A whole number as such. Any other text stays what it is, and the API says what is wrong with it.
export const numeric = (text) => /^[0-9]+$/.test(text) ? Number(text) : text;

/// The path of a user, or of what is the user's: `userPath("user_abc", "keys")`.
export const userPath = (...parts) => ["users", ...parts.map(encodeURIComponent)].join("/");

/// Has the browser save the answer as a file of this name. However long it takes.
export async function download(path, name) {
  const response = await send(path);
  let file;
  try {
    file = await response.blob();
  } catch (error) {
    throw new Unreachable("The answer broke off, and no file was saved. Try again.", {cause: error});
  }
  const url = URL.createObjectURL(file);
  element("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), fileSeconds * 1000);
}

async function send(path, {headers, ...options} = {}) {
  let response;
  try {
    // With X-Requested-With a refusal comes to this page, instead of the browser asking for another password.
    // Not relative to an address with a name and a token in it, by which a reader may have come.
    response = await fetch(location.origin + path, {
      cache: "no-store", headers: {"X-Requested-With": "fetch", ...headers}, ...options,
    });
  } catch (error) {
    throw new Unreachable(navigator.onLine ? "The worker does not answer." : "You are offline.", {cause: error});
  }
  if (response.ok) return response;
  // A proxy's error page is no JSON.
  const refusal = new Refusal(response.status, await response.json().catch(() => null) ?? {}, null);
  throw response.status === 401 ? new SessionOver(refusal) : refusal;
}
