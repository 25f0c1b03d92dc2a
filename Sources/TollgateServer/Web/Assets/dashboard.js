// The dashboard: signs in, then shows the account and keeps it fresh.

import {API, Refusal, Unreachable} from "./api.js";
import {Billing, Payment} from "./billing.js";
import {prepareChart, showHistory} from "./chart.js";
import {byId, prepareCopying, setText, show, showText, whileBusy} from "./dom.js";
import {KeyDialogs} from "./keydialogs.js";
import {KeyList} from "./keys.js";
import {notice, showAccount, showFresh, showGate, showStale} from "./notices.js";
import {Poller} from "./poller.js";
import {displayName, isConfigured, openSession, provider, signIn, signOut} from "./session.js";
import {Credentials} from "./snippets.js";
import {level, showRate, showUsage} from "./usage.js";

const payment = new Payment();
let dashboard = null;

start();

async function start() {
  if (!isConfigured()) {
    return showGate({
      title: "Sign-in is not set up",
      text: "This gateway has no identity provider. Whoever runs it sets CLERK_PUBLISHABLE_KEY and starts it "
        + "again.",
    });
  }
  showGate({title: "Loading your dashboard", isBusy: true});
  try {
    const clerk = await openSession();
    prepareButtons(clerk);
    clerk.addListener(() => follow(clerk));
    follow(clerk);
  } catch (error) {
    console.warn(error);
    prepareTryAgain(() => location.reload());
    showGate({
      title: "Sign-in cannot be reached", action: "try-again",
      text: `The sign-in script from ${provider()} did not load. Allow it in your content blocker, check your `
        + "connection, and try again.",
    });
  }
}

function prepareButtons(clerk) {
  onPress("sign-in", () => signIn(clerk));
  onPress("sign-out", async () => {
    await signOut(clerk);
    follow(clerk);
  });
  byId("try-now").addEventListener("click", () => dashboard?.poller.insist());
  prepareTryAgain(() => dashboard?.poller.insist());
  prepareCopying();
  prepareChart();
}

/// Both are the provider's work, and fail when it cannot be reached.
function onPress(id, work) {
  byId(id).addEventListener("click", (event) => whileBusy(event.currentTarget, async () => {
    try {
      await work();
      notice(id, null);
    } catch (error) {
      console.warn(error);
      const text = "Check your connection and try again.";
      showText(byId("gate-text"), `Sign-in cannot be reached. ${text}`);
      notice(id, {kind: "warning", title: "You could not be signed out.", text});
    }
  }));
}

function prepareTryAgain(run) {
  byId("try-again").addEventListener("click", run);
}

/// Shows what belongs to whoever is signed in now, here or in another tab.
function follow(clerk) {
  // Between two sessions it is not known.
  if (clerk.user === undefined) return;
  const userId = clerk.user?.id ?? null;
  if (dashboard && dashboard.userId !== userId) {
    // Nothing of the one before may remain.
    dashboard.poller.stop();
    return location.reload();
  }
  if (!userId) {
    return showGate({
      title: "Sign in to your dashboard", action: "sign-in",
      text: "See your usage, manage your plan and your API keys.",
    });
  }
  if (dashboard) return;
  setText(byId("user-name"), displayName(clerk.user));
  for (const id of ["header", "skip-link"]) show(byId(id), true);
  dashboard = new Dashboard(clerk, userId);
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
    showAccount();
    showHistory(account.history);
    showFresh(this.loadedAt);
    this.poller.intervalSeconds = payment.isWaiting ? 2 : 5;
  }

  failed(error, tryAt) {
    // Ours: a mistake in the page.
    if (!(error instanceof Refusal || error instanceof Unreachable)) console.error(error);
    if (this.loadedAt) return showStale(error.message, this.loadedAt, tryAt);
    showGate({
      title: error instanceof Unreachable ? error.message : "Your dashboard cannot be shown", action: "try-again",
      text: error instanceof Unreachable ? "Check your connection. Your keys and your plan are as they were."
        : error.message, tryAt,
    });
  }

  ended(error) {
    showGate({title: "Your session has ended", text: error.message, action: "sign-in"});
  }
}
