// The operator's overview: asks every two seconds, and shows what it is told.

import {ownerOfKey, startActions} from "./actions.js";
import {Refusal, Unreachable} from "./api.js";
import {announce, byId, element, setText, show} from "./dom.js";
import {announceExplanation, hideExplanation, showExplanation, showNoExplanation} from "./explanation.js";
import {showFleet, userLink} from "./fleet.js";
import {showContent, showFresh, showGate, showStale} from "./notices.js";
import {Poller} from "./poller.js";
import {reconcile} from "./rows.js";

const intervalSeconds = 2;
const answerSeconds = 10;

let loadedAt = null;

/// Whose explanation is wanted, and whether it was shown already.
let chosen = null;

const poller = new Poller({load, loaded, failed, ended: () => {}});
poller.intervalSeconds = intervalSeconds;
start();

function start() {
  showGate({title: "Loading the overview", isBusy: true});
  for (const id of ["try-again", "try-now"]) byId(id).addEventListener("click", () => poller.insist());
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    searchFor(byId("user-id").value.trim());
  });
  byId("close-explanation").addEventListener("click", () => {
    byId("user-id").value = "";
    search("");
    byId("user-id").focus();
  });
  startActions(() => chosen?.userId ?? "", () => poller.insist());
  addEventListener("hashchange", followAddress);
  followAddress();
  poller.start();
}

// Asking

async function load() {
  const wanted = chosen;
  const [overview, explanation] = await Promise.all([
    ask("/overview.json"), wanted && ask(`/explain/${encodeURIComponent(wanted.userId)}`).catch((error) => error),
  ]);
  return {overview, wanted, explanation};
}

async function ask(path) {
  let response;
  try {
    response = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(answerSeconds * 1000)});
  } catch (error) {
    throw new Unreachable(navigator.onLine ? "The worker does not answer." : "You are offline.", {cause: error});
  }
  // A proxy's error page is no JSON; an answer may break off.
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, answer ?? {}, null);
  if (!answer) throw new Unreachable("The worker's answer broke off.");
  return answer;
}

// Showing

function loaded({overview, wanted, explanation}) {
  loadedAt = Date.now();
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
    showNoExplanation(explanation.message);
    if (isNew) announce(explanation.message);
    return;
  }
  showExplanation(explanation);
  if (!isNew) return;
  announceExplanation(explanation);
  if (wanted.takesFocus) requestAnimationFrame(() => byId("explained-user").focus());
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

// Choosing a user. The address says whose explanation is shown, so that it can be kept and sent.

/// A key is a secret: the address has its owner, never the key.
async function searchFor(text) {
  search(await ownerOfKey(text).catch(() => null) ?? text);
}

function search(userId) {
  const link = userId ? userLink(userId) : location.pathname;
  if (userId && location.hash === link) return choose(userId);
  history.pushState(null, "", link);
  followAddress();
}

function followAddress() {
  const userId = new URLSearchParams(location.hash.slice(1)).get("user");
  if (!userId) {
    chosen = null;
    return hideExplanation();
  }
  byId("user-id").value = userId;
  choose(userId);
}

function choose(userId) {
  chosen = {userId, isShown: false, takesFocus: loadedAt !== null};
  if (loadedAt) poller.insist();
}
