// The dashboard: signs in, then shows the account and keeps it fresh.

import {API, Refusal, Unreachable} from "./api.js";
import {Billing, Payment} from "./billing.js";
import {prepareChart, showHistory} from "./chart.js";
import {byId, prepareCopying, setText, show, showText, whileBusy} from "./dom.js";
import {KeyDialogs} from "./keydialogs.js";
import {KeyList} from "./keys.js";
import {notice, showContent, showFresh, showGate, showStale} from "./notices.js";
import {Poller} from "./poller.js";
import {displayName, isConfigured, openSession, provider, signIn, signOut} from "./session.js";
import {Credentials} from "./snippets.js";
import {level, showRate, showUsage} from "./usage.js";

const payment = new Payment();
let dashboard = null;

start();

// The browser may bring a page back as it was when it was left, of a user who has signed out since.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

async function start() {
  if (!isConfigured()) {
    return showGate({
      title: "Sign-in is not set up",
      text: "This gateway has no identity provider. Its operator has to set CLERK_PUBLISHABLE_KEY and start it "
        + "again.",
    });
  }
  showGate({title: "Loading your dashboard", isBusy: true});
  let clerk;
  try {
    clerk = await openSession();
  } catch (error) {
    return showBlocked(error);
  }
  prepareButtons(clerk);
  clerk.addListener(() => follow(clerk));
  follow(clerk);
}

function showBlocked(error) {
  console.warn(error);
  byId("try-again").addEventListener("click", () => location.reload());
  showGate({
    title: "Sign-in cannot be reached", action: "try-again",
    text: `The sign-in script from ${provider()} did not load. Allow it in your content blocker, check your `
      + "connection, and try again.",
  });
}

function prepareButtons(clerk) {
  const remedy = "Check your connection and try again.";
  onPress("sign-in", () => signIn(clerk), () => showText(byId("gate-text"), `Sign-in cannot be reached. ${remedy}`));
  onPress("sign-out", () => signOut(clerk), () => {
    notice("sign-out", {kind: "warning", title: "You could not be signed out.", text: remedy});
  });
  for (const id of ["try-now", "try-again"]) byId(id).addEventListener("click", () => dashboard.poller.insist());
  prepareCopying();
  prepareChart();
}

/// The work is the provider's, and fails when it cannot be reached.
function onPress(id, work, failed) {
  byId(id).addEventListener("click", (event) => whileBusy(event.currentTarget, async () => {
    try {
      await work();
    } catch (error) {
      console.warn(error);
      failed();
    }
  }));
}

/// Shows what belongs to the user who is signed in now, here or in another tab.
function follow(clerk) {
  // Between two sessions it is not known.
  if (clerk.user === undefined) return;
  const userId = clerk.user?.id ?? null;
  if (dashboard && !userId) return dashboard.leave();
  // Nothing of another user may remain, and a user who came back begins anew.
  if (dashboard && (dashboard.userId !== userId || dashboard.poller.isStopped)) return location.reload();
  if (!userId) {
    return showGate({
      title: "Sign in to your dashboard", action: "sign-in",
      text: "See your usage, manage your plan and your API keys.",
    });
  }
  if (dashboard) return;
  setText(byId("user-name"), displayName(clerk.user));
  showHeader(true);
  dashboard = new Dashboard(clerk, userId);
}

function showHeader(isShown) {
  for (const id of ["header", "skip-link"]) show(byId(id), isShown);
}

class Dashboard {
  constructor(clerk, userId) {
    this.userId = userId;
    this.loadedAt = null;
    const api = new API(clerk);
    this.poller = new Poller({
      load: () => api.account(),
      loaded: (account) => this.loaded(account),
      failed: (error, tryAt) => this.failed(error, tryAt),
      ended: (error) => this.ended(error),
    });
    const changed = () => this.poller.now();
    this.billing = new Billing(api, changed);
    this.credentials = new Credentials(api, changed);
    const dialogs = new KeyDialogs(api, {changed, showSecret: (secret) => this.credentials.showSecret(secret)});
    this.credentials.useDialogs(dialogs);
    this.keys = new KeyList({rotate: (key) => dialogs.openRotate(key), revoke: (key) => dialogs.openRevoke(key)});
    this.poller.start();
  }

  loaded(account) {
    this.loadedAt = Date.now();
    payment.show(account);
    showUsage(account);
    showRate(account.rateLimit, () => this.poller.now());
    this.billing.show(account, {isProminent: level(account.usage) !== "normal", isPaying: payment.isRecent});
    this.credentials.show(account.credentials);
    this.keys.show(account.keys, account.maximumKeys);
    // The chart is drawn to its width, which it has only when it is shown.
    showContent();
    showHistory(account.history);
    showFresh(this.loadedAt);
    this.poller.intervalSeconds = payment.isWaiting ? 2 : 5;
  }

  failed(error, tryAt) {
    // Ours: a mistake in the page.
    if (!(error instanceof Refusal || error instanceof Unreachable)) console.error(error);
    if (this.loadedAt) return showStale(staleTitle(error), this.loadedAt, tryAt);
    showGate({
      title: error instanceof Unreachable ? error.message : "Your dashboard cannot be shown", action: "try-again",
      text: error instanceof Unreachable ? "Check your connection. Your keys and your plan are as they were."
        : staleTitle(error), tryAt,
    });
  }

  /// A secret that is being shown stays: it could not be shown again.
  leave() {
    this.poller.stop();
    showHeader(false);
    showGate({title: "You are signed out", text: "Sign in again to go on.", action: "sign-in"});
  }

  ended(error) {
    console.warn(error.cause);
    showHeader(false);
    showGate({title: "Your session has ended", text: error.message, action: "sign-in"});
  }
}

/// Why the figures are old, or not there. When it is tried again stands beside it.
function staleTitle(error) {
  if (error.code === "too-many-reads") return "Your dashboard is open in too many places at once.";
  return error.status === 503 ? "Your figures cannot be read at the moment." : error.message;
}
