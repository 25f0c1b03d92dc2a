// The operator's overview: asks every two seconds, and shows what it is told.

import {ask, changeEvent, userPath} from "./adminapi.js";
import {Refusal, Unreachable} from "./api.js";
import {announce, byId, element, setAttribute, setText, show, showText} from "./dom.js";
import {showFleet, userLink} from "./fleet.js";
import {findOwner, isKey, unknownKeyText} from "./keysearch.js";
import {showContent, showFresh, showGate, showStale} from "./notices.js";
import {closePanels, startPanels} from "./panels.js";
import {Poller} from "./poller.js";
import {reconcile} from "./rows.js";

const intervalSeconds = 2;

let loadedAt = null;

/// Whose explanation is wanted, whether it was shown already, and by what key it was searched for.
let chosen = null;

/// What shows a user: loaded with the first of them.
let view = null;

/// Searches so far: of two, the later one counts.
let searches = 0;

const poller = new Poller({load, loaded, failed, ended});
poller.intervalSeconds = intervalSeconds;
start();

function start() {
  showGate({title: "Loading the overview", isBusy: true});
  // When the session is over, only loading the page has the browser ask for another token.
  byId("try-again").addEventListener("click", () => poller.isStopped ? location.reload() : poller.insist());
  byId("try-now").addEventListener("click", () => poller.insist());
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    searchFor(byId("user-id").value.trim());
  });
  byId("close-explanation").addEventListener("click", () => {
    byId("user-id").value = "";
    search("");
    byId("user-id").focus();
  });
  startPanels({
    "directory": () => import("./directory.js"), "requests": () => import("./requests.js"),
    "audit": () => import("./audit.js"), "usage": () => import("./usageexport.js"),
    "events": () => import("./events.js"), "alerts": () => import("./alerts.js"), "tokens": () => import("./tokens.js"),
    "settings": () => import("./settings.js"),
  });
  document.addEventListener(changeEvent, () => poller.insist());
  addEventListener("hashchange", () => followAddress());
  followAddress();
  poller.start();
}

// Asking

async function load() {
  const wanted = chosen;
  const [overview, explanation] = await Promise.all([
    ask("/overview.json"), wanted && askAbout(wanted.userId).catch((error) => error),
  ]);
  return {overview, wanted, explanation};
}

async function askAbout(userId) {
  const [explanation] = await Promise.all([ask(`/admin/v1/${userPath(userId)}`), openView()]);
  return explanation;
}

async function openView() {
  if (view) return;
  view = await import("./explanation.js");
  view.start(() => chosen?.userId ?? "", deleted);
}

// Showing

function loaded({overview, wanted, explanation}) {
  loadedAt = Date.now();
  setText(byId("operator"), `${overview.operator.name}, ${overview.operator.role}`);
  showFleet(overview);
  showWarnings(overview.redis);
  if (wanted && wanted === chosen) explained(wanted, explanation);
  for (const id of ["header", "skip-link"]) show(byId(id), true);
  showContent();
  showFresh(loadedAt);
}

function explained(wanted, explanation) {
  const isNew = !wanted.isShown;
  wanted.isShown = true;
  if (explanation instanceof Error) {
    // A key names its user, and one that is made up names any.
    const text = wanted.foundKey && explanation.status === 404 ? unknownKeyText : explanation.message;
    showNoUser(text);
    if (isNew) announce(text);
    return;
  }
  view.render(explanation, wanted.foundKey);
  showText(byId("search-error"), "");
  setAttribute(byId("user-id"), "aria-invalid", "false");
  show(byId("explanation"), true);
  if (!isNew) return;
  announce(`${explanation.userId}. ${explanation.nextCall.message}`);
  if (wanted.takesFocus) requestAnimationFrame(() => byId("explained-user").focus());
}

/// Nothing can be shown of a user, and why.
function showNoUser(text) {
  show(byId("explanation"), false);
  showText(byId("search-error"), text);
  setAttribute(byId("user-id"), "aria-invalid", "true");
}

function hideUser() {
  view?.clear();
  show(byId("explanation"), false);
  showText(byId("search-error"), "");
  setAttribute(byId("user-id"), "aria-invalid", "false");
}

/// Those of Redis stay as they are as long as they say the same.
function showWarnings({state, reason, warnings}) {
  const notices = state === "unavailable"
    ? [{
      code: "unavailable", kind: "danger", title: "Redis cannot be asked.",
      text: `${reason.charAt(0).toUpperCase()}${reason.slice(1)}. Calls are refused with 503 until it can; what you see is what this worker knows itself.`,
    }]
    : warnings.map(({code, message}) => ({code, kind: "warning", title: "Redis needs attention.", text: message}));
  reconcile(byId("notices"), notices, {
    key: ({code}) => code,
    make: ({kind, title, text}) => {
      announce(`${title} ${text}`);
      return element("div", {class: `notice notice--${kind}`},
        element("p", {class: "notice-text"}, element("strong", {}, title), element("span")));
    },
    update: (node, {text}) => setText(node.querySelector("span"), text),
  });
}

function failed(error, tryAt) {
  // Ours: a mistake in the page.
  if (!(error instanceof Refusal || error instanceof Unreachable)) console.error(error);
  if (loadedAt) return showStale(error.message, loadedAt, tryAt);
  showGate({
    title: error instanceof Unreachable ? error.message : "The overview cannot be shown", tryAt,
    action: "try-again",
    text: error instanceof Unreachable ? "Is it running, and does this address lead to its admin port?" : error.message,
  });
}

/// The token counts no more, and what it let its owner see is gone.
function ended() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  closePanels();
  chosen = null;
  hideUser();
  for (const id of ["header", "skip-link"]) show(byId(id), false);
  showGate({
    title: "Sign in again", action: "try-again",
    text: "Your token was revoked, or its end has come. Your browser asks for another: it is the password.",
  });
}

// Choosing a user. The address says whose explanation is shown, so that it can be kept and sent.

/// A key is a secret: the address has its owner, never the key.
async function searchFor(text) {
  const turn = searches += 1;
  if (!isKey(text)) return search(text);
  let foundKey;
  try {
    foundKey = await findOwner(text);
  } catch (error) {
    if (turn !== searches) return;
    search("");
    showNoUser(error.message);
    return announce(error.message);
  }
  if (turn === searches) search(foundKey.userId, foundKey);
}

function search(userId, foundKey = null) {
  const link = userId ? userLink(userId) : location.pathname;
  if (location.hash !== link) history.pushState(null, "", link);
  followAddress(foundKey);
}

function deleted(userId) {
  byId("user-id").value = "";
  search("");
  showText(byId("search-result"), `${userId} is deleted.`);
  announce(`${userId} is deleted.`);
  byId("user-id").focus();
}

/// - foundKey: what the API said of the key that led here, or null.
function followAddress(foundKey = null) {
  searches += 1;
  showText(byId("search-result"), "");
  const userId = new URLSearchParams(location.hash.slice(1)).get("user");
  if (!userId) {
    chosen = null;
    return hideUser();
  }
  byId("user-id").value = userId;
  // What is done is done to the one who is chosen, so no other may be seen meanwhile.
  if (chosen?.userId !== userId) hideUser();
  chosen = {userId, foundKey, isShown: false, takesFocus: loadedAt !== null};
  if (loadedAt) poller.insist();
}
