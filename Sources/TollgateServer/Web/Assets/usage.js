// The usage card: what is used, what is left, until when.

import {announce, byId, countDown, setAttribute, setText, show, showText, stopCountingDown} from "./dom.js";
import {calls, date, dayAfter, number, percent, planName, seconds} from "./format.js";
import {offers} from "./billing.js";
import {notice} from "./notices.js";

/// From this share of the quota on a larger plan is offered prominently.
const warningShare = 0.8;

export const share = ({count, limit}) => (limit > 0 ? count / limit : 1);

/// `normal`, `warning` or `over`.
export function level(usage) {
  if (share(usage) >= 1) return "over";
  return share(usage) >= warningShare ? "warning" : "normal";
}

let knownLevel = null;

export function showUsage(account) {
  const {usage} = account;
  setText(byId("usage"), `${number(usage.count)} / ${number(usage.limit)}`);
  setText(byId("remaining"), calls(usage.remaining));
  setText(byId("reset-date"), resetDate(usage));
  // A moment is told in the reader's own time.
  show(byId("reset-zone"), usage.period !== "subscription");
  const span = usage.period === "subscription" ? "period" : "month";
  setText(byId("usage-title"), `Usage this ${span}`);
  setText(byId("usage-unit"), `calls this ${span}`);
  showBar(usage);
  showLevel(account);
}

/// Months are UTC's. A subscription's period ends at a moment, which is told as its renewal is.
const resetDate = (usage) => (usage.period === "subscription" ? date(usage.resetsAt) : dayAfter(usage.periodEnd));

function showBar(usage) {
  const bar = byId("usage-bar");
  bar.classList.toggle("is-warning", level(usage) === "warning");
  bar.classList.toggle("is-over", level(usage) === "over");
  setAttribute(bar, "aria-valuemax", usage.limit);
  setAttribute(bar, "aria-valuenow", Math.min(usage.count, usage.limit));
  setAttribute(bar, "aria-valuetext",
    `${number(usage.count)} of ${calls(usage.limit)} used, ${percent(share(usage))}`);
  byId("usage-fill").style.width = `${Math.min(1, share(usage)) * 100}%`;
}

function showLevel(account) {
  const [now, advice] = [level(account.usage), adviceFor(account)];
  const badge = byId("usage-state");
  showText(badge, {normal: "", warning: `${percent(share(account.usage))} used`, over: "Used up"}[now]);
  badge.className = now === "over" ? "badge badge--danger" : "badge badge--warning";
  showText(byId("usage-advice"), advice);
  if (knownLevel !== null && knownLevel !== now && advice) announce(advice);
  knownLevel = now;
}

function adviceFor(account) {
  const {usage} = account;
  const [bigger] = offers(account);
  const reset = resetDate(usage);
  switch (level(usage)) {
  case "normal": return "";
  case "warning":
    return `${calls(usage.remaining)} ${usage.remaining === 1 ? "is" : "are"} left until ${reset}.`
      + (bigger ? ` ${planName(bigger.name)} has ${calls(bigger.quota)} a month.` : "");
  default:
    return `This ${usage.period === "subscription" ? "period" : "month"}’s calls are used up, and further ones are refused. `
      + (bigger
        ? `Upgrade to ${planName(bigger.name)} for ${calls(bigger.quota)} a month, or wait until ${reset}.`
        : `They start again on ${reset}.`);
  }
}

/// `onReset` is called when a minute that was used up ends.
export function showRate({limit, remaining, resetSeconds}, onReset) {
  setText(byId("rate"), `${number(remaining)} of ${number(limit)}`);
  if (remaining > 0) {
    stopCountingDown("rate");
    return notice("rate", null);
  }
  if (!byId("notice-rate")) announce(`Rate-limited. Calls are answered again in ${seconds(resetSeconds)}.`);
  // At least a second, so that a gateway whose clock is late is not asked in a rush.
  countDown("rate", Date.now() + Math.max(1, resetSeconds) * 1000, (left) => {
    notice("rate", {
      kind: "warning", title: "Rate-limited: this minute’s calls are used up.",
      text: left > 0 ? `Calls are answered again in ${seconds(left)}.` : "Calls are answered again now.",
    });
    if (left === 0) onReset();
  });
}
