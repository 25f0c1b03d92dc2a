// One user: which limits they have, why, and what would become of their next call; what operators have decided, and the
// keys.

import {clearActions, startActions} from "./actions.js";
import {byId, setAttribute, setText, show} from "./dom.js";
import {moment, number} from "./format.js";
import {fillFacts} from "./rows.js";
import {clearTerms, showTerms} from "./terms.js";
import {clearKeys, showKeys, startKeys} from "./userkeys.js";

/// - shown: gives the id of the user who is shown; - deleted: called with the id of one who was deleted.
export function start(shown, deleted) {
  startActions(shown, deleted);
  startKeys(shown);
}

/// What was filled in and told is about the user before.
export function clear() {
  clearActions();
  clearTerms();
  clearKeys();
}

/// - explanation: what the API says of a user; - foundKey: of a key that was searched for, or null.
export function render(explanation, foundKey) {
  const {userId, nextCall, plan, usage, minute, subscription} = explanation;
  setText(byId("explained-user"), userId);
  setText(byId("next-call"), nextCall.isAdmitted ? "Next call admitted" : "Next call refused");
  setAttribute(byId("next-call"), "class", `badge badge--${nextCall.isAdmitted ? "good" : "danger"}`);
  setText(byId("next-call-message"), nextCall.message);
  setText(byId("passes-at"), passesAt(nextCall));
  showBar("month", usage.count, usage.limit);
  showBar("minute", minute.count, minute.limit);
  setText(byId("plan-name"), plan.name);
  setText(byId("plan-reason"), plan.reason);
  setText(byId("plan-tokens"), plan.tokens);
  fillFacts(byId("user-facts"), [
    usage.period === "subscription"
      ? ["Paid period ends", moment(usage.resetsAt)] : ["Month ends", `${usage.periodEnd} UTC`],
    ["Minute ends in", `${number(minute.resetSeconds)} s`],
    ["Last admitted", explanation.lastAdmittedAt ? moment(explanation.lastAdmittedAt) : "never"],
    ["Plan last seen", plan.lastSeen ?? "none"],
    ["Calls in progress that may be given back", number(explanation.openReservations)],
  ]);
  showSubscription(subscription);
  showTerms(explanation);
  showKeys(explanation, foundKey);
}

function passesAt({isAdmitted, passesAt}) {
  if (isAdmitted) return "";
  return passesAt ? `It can pass again from ${moment(passesAt)} on.` : "Waiting does not help.";
}

function showBar(name, count, limit) {
  const share = limit > 0 ? Math.min(1, count / limit) : 1;
  setText(byId(name), `${number(count)} / ${number(limit)}`);
  byId(`${name}-fill`).style.width = `${share * 100}%`;
  const bar = byId(`${name}-bar`);
  setAttribute(bar, "class", share >= 1 ? "bar is-over" : share >= 0.8 ? "bar is-warning" : "bar");
  setAttribute(bar, "aria-valuemax", Math.max(1, limit));
  setAttribute(bar, "aria-valuenow", limit > 0 ? Math.min(count, limit) : 1);
  setAttribute(bar, "aria-valuetext", `${number(count)} of ${number(limit)}`);
}

function showSubscription(subscription) {
  show(byId("subscription-empty"), subscription === null);
  const when = (value) => value ? moment(value) : null;
  fillFacts(byId("subscription-facts"), subscription === null ? [] : [
    ["Plan bought", subscription.plan],
    ["Status", subscription.status],
    ["Paid until", when(subscription.periodEnd)],
    ["Ends on", when(subscription.endsAt)],
    ["Trial until", when(subscription.trialEnd)],
    ["Payments paused until",
      subscription.collectionPause && (when(subscription.collectionPause.until) ?? "further notice")],
    ["Payment owed since", when(subscription.pastDueSince)],
    ["Grace until", when(subscription.graceUntil)],
    ["Began", when(subscription.startedAt)],
    ["Record written", when(subscription.writtenAt)],
    ["Clerk told", when(subscription.clerkToldAt) ?? "not yet"],
    ["Customer", subscription.customerId],
    ["Subscription", subscription.subscriptionId],
  ]);
}
