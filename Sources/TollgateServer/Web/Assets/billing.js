// The plan card, and the two ways to Stripe's pages.

import {explain} from "./api.js";
import {announce, byId, element, setText, show, showText, whileBusy} from "./dom.js";
import {date, monthlyPrice, planLimits, planName} from "./format.js";
import {notice} from "./notices.js";

const endedStates = ["canceled", "incomplete", "incomplete_expired"];

/// The plans that are sold and larger than the present one, the smallest first.
export function offers({usage, plans}) {
  return plans.filter((plan) => plan.isSold && plan.quota > usage.limit).sort((a, b) => a.quota - b.quota);
}

export class Billing {
  /// - failed: called when there is no such page.
  constructor(api, failed) {
    Object.assign(this, {api, failed});
    byId("manage-billing").addEventListener("click", (event) => this.openPortal(event.currentTarget));
  }

  /// - isProminent: the calls are running out; - isPaying: a plan has been bought and is not served yet.
  show(account, {isProminent, isPaying}) {
    const {usage, plans, subscription} = account;
    const plan = plans.find(({name}) => name === usage.plan);
    setText(byId("plan-name"), planName(usage.plan));
    showText(byId("plan-price"), priceText(plan));
    showText(byId("plan-limits"), plan && planLimits(plan));
    showText(byId("plan-renewal"), renewalText(subscription, usage));
    show(byId("manage-billing"), Boolean(subscription?.hasPortal));
    this.showOffers(account, isProminent);
    show(byId("plan-offers"), !isPaying);
    this.showPastDue(subscription);
  }

  showOffers(account, isProminent) {
    const plans = offers(account);
    byId("plan").classList.toggle("card--prominent", isProminent && plans.length > 0);
    // A second subscription would be paid for beside the first: a subscriber changes theirs.
    this.changesInPortal = isSubscribed(account.subscription) && account.subscription.hasPortal;
    const drawn = JSON.stringify(plans);
    if (drawn !== this.drawnOffers) {
      byId("plan-offers").replaceChildren(...plans.map((plan, place) => this.offer(plan, place)));
    }
    this.drawnOffers = drawn;
    byId("upgrade")?.classList.toggle("button--primary", isProminent);
  }

  offer(plan, place) {
    const id = place === 0 ? "upgrade" : `upgrade-${plan.name}`;
    const text = [planLimits(plan), monthlyPrice(plan.price)].filter(Boolean).join(", ");
    const press = (event) => (this.changesInPortal ? this.openPortal(event.currentTarget)
      : this.openCheckout(event.currentTarget, plan));
    return element("div", {class: "field"},
      element("button", {class: "button", type: "button", id, click: press, "aria-describedby": `${id}-text`},
        `Upgrade to ${planName(plan.name)}`),
      element("p", {class: "hint", id: `${id}-text`}, text));
  }

  showPastDue(subscription) {
    if (!["past_due", "unpaid"].includes(subscription?.status)) return notice("past-due", null);
    const {plan, graceUntil, endsAt, hasPortal} = subscription;
    const [lastsUntil] = [graceUntil, endsAt].filter(Boolean).sort();
    const hasGrace = subscription.status === "past_due" && graceUntil && Date.parse(lastsUntil) > Date.now();
    notice("past-due", {
      kind: "danger", title: "Your last payment failed.",
      text: hasGrace
        ? `${planName(plan)} stays yours until ${date(lastsUntil)}. Update your payment details before then.`
        : `Update your payment details to have ${planName(plan)} again.`,
      action: hasPortal ? {label: "Update payment details", run: (button) => this.openPortal(button)} : null,
    });
  }

  openCheckout(button, plan) {
    const body = {tier: plan.name};
    return this.leave(button, async () => (await this.api.call("POST", "/create-checkout", body)).checkoutUrl);
  }

  openPortal(button) {
    return this.leave(button, async () => (await this.api.call("POST", "/billing-portal")).portalUrl);
  }

  leave(button, address) {
    return whileBusy(button, async () => {
      showText(byId("plan-error"), "");
      try {
        goTo(await address());
        // The other page takes a moment to come; a second press would open a second checkout.
        await new Promise((resolve) => setTimeout(resolve, 5000));
      } catch (error) {
        showText(byId("plan-error"), explain(error));
        byId("plan-error").scrollIntoView({block: "nearest"});
        this.failed();
      }
    });
  }
}

function goTo(address) {
  const {protocol} = new URL(address);
  if (!["https:", "http:"].includes(protocol)) throw new Error("Stripe's page has no web address.");
  location.assign(address);
}

const isSubscribed = (subscription) => Boolean(subscription) && !endedStates.includes(subscription.status);

function priceText(plan) {
  if (plan && Number(plan.price?.amount) === 0) return "Free of charge";
  return plan && monthlyPrice(plan.price);
}

function renewalText(subscription, usage) {
  // Of what gives another plan than the one that is shown, nothing is said.
  if (!subscription || (subscription.plan === "free" && usage.plan === "free" && subscription.status === "active")) return "";
  const {status, periodEnd, endsAt, trialEnd, collectionPause} = subscription;
  const ends = endsAt && `Ends on ${date(endsAt)}`;
  switch (status) {
  case "active": return sentences(ends ?? renews(periodEnd), pauseText(collectionPause));
  case "trialing": return sentences(trialEnd ? `Trial until ${date(trialEnd)}` : "Trial", ends, pauseText(collectionPause));
  case "past_due": return sentences("Payment is overdue", ends);
  case "unpaid": return "Unpaid";
  case "canceled": return "Your subscription was cancelled";
  case "paused": return "Your subscription is paused";
  case "payment_returned": return "Your payment was returned";
  default: return "";
  }
}

/// Stripe may take an hour and more to say that a subscription is renewed.
function renews(periodEnd) {
  if (!periodEnd) return null;
  return Date.parse(periodEnd) > Date.now() ? `Renews on ${date(periodEnd)}` : "Its renewal is awaited";
}

/// Of a subscription that is served and not paid for meanwhile.
function pauseText(pause) {
  if (!pause) return null;
  return pause.until ? `Payments are paused until ${date(pause.until)}` : "Payments are paused";
}

const sentences = (...texts) => texts.filter(Boolean).join(". ");

// Coming back from Stripe's checkout

/// After a checkout the plan changes with Stripe's webhook, seconds later: until then the page says so and looks often.
export class Payment {
  constructor() {
    this.state = takeResult();
    this.startedAt = Date.now();
  }

  get isWaiting() {
    return this.state === "success";
  }

  /// A customer is not to pay twice while the first payment is on its way.
  get isRecent() {
    return this.isWaiting && Date.now() - this.startedAt < 60_000;
  }

  show({usage, plans, subscription}) {
    const isServed = ["active", "trialing"].includes(subscription?.status) && subscription.plan === usage.plan;
    if (this.isWaiting && isServed) {
      this.state = "done";
      this.title = `Thank you. Your plan is now ${planName(usage.plan)}.`;
      const plan = plans.find(({name}) => name === usage.plan);
      this.detail = plan && `${planLimits(plan)}.`;
      announce(this.title);
    }
    notice("payment", this.content());
  }

  content() {
    const action = {label: "Dismiss", run: () => this.dismiss()};
    switch (this.state) {
    case "success": return {kind: "good", title: "Thank you for your payment.", text: this.waitingText()};
    case "done": return {kind: "good", title: this.title, text: this.detail, action};
    case "cancelled":
      return {title: "The checkout was cancelled.", text: "Nothing was bought.", action};
    default: return null;
    }
  }

  waitingText() {
    return this.isRecent
      ? "Your new plan is being switched on. This takes a few seconds."
      : "Your new plan is taking longer than usual. You need not pay again: it shows here as soon as Stripe has "
        + "confirmed the payment.";
  }

  dismiss() {
    this.state = null;
    notice("payment", null);
    byId("title").focus();
  }
}

/// Reads what the address says, and takes it out so that a reload does not say it again.
function takeResult() {
  const address = new URL(location.href);
  const result = address.searchParams.get("payment");
  if (result === null) return null;
  address.searchParams.delete("payment");
  history.replaceState(null, "", address);
  return ["success", "cancelled"].includes(result) ? result : null;
}
