// Numbers, money and dates as the reader's own language writes them.

const locales = knownLocales();

function knownLocales() {
  try {
    return Intl.getCanonicalLocales(navigator.languages);
  } catch {
    return [];
  }
}

const numbers = new Intl.NumberFormat(locales);
const percents = new Intl.NumberFormat(locales, {style: "percent"});
const compactNumbers = new Intl.NumberFormat(locales, {notation: "compact"});
// Days of the account are UTC's; moments are told in the reader's own time.
const days = new Intl.DateTimeFormat(locales, {dateStyle: "long", timeZone: "UTC"});
const shortDays = new Intl.DateTimeFormat(locales, {day: "numeric", month: "short", timeZone: "UTC"});
const dates = new Intl.DateTimeFormat(locales, {dateStyle: "medium"});
const moments = new Intl.DateTimeFormat(locales, {dateStyle: "medium", timeStyle: "short"});
const times = new Intl.DateTimeFormat(locales, {timeStyle: "short"});
const exactTimes = new Intl.DateTimeFormat(locales, {timeStyle: "medium"});

export const number = (value) => numbers.format(value);
export const compactNumber = (value) => compactNumbers.format(value);
/// Rounded down: 99.9 % is not used up.
export const percent = (share) => percents.format(Math.floor(share * 100) / 100);
/// A day such as 2026-11-25.
export const day = (text) => days.format(new Date(text));
export const shortDay = (text) => shortDays.format(new Date(text));
export const dayAfter = (text) => days.format(new Date(Date.parse(text) + 86_400_000));
export const date = (text) => dates.format(new Date(text));
export const moment = (text) => moments.format(new Date(text));
export const time = (milliseconds) => times.format(milliseconds);
export const exactTime = (milliseconds) => exactTimes.format(milliseconds);

export const calls = (count) => `${number(count)} ${count === 1 ? "call" : "calls"}`;
export const seconds = (count) => `${number(count)} ${count === 1 ? "second" : "seconds"}`;

/// `{"amount": "29.00", "currency": "USD"}`, or null for a price that is not known.
export function monthlyPrice(price) {
  if (!price) return null;
  const style = {style: "currency", currency: price.currency, trailingZeroDisplay: "stripIfInteger"};
  return `${new Intl.NumberFormat(locales, style).format(price.amount)} per month`;
}

/// Plans are named for settings: `paid`. People read `Paid`.
export const planName = (name) => name.charAt(0).toUpperCase() + name.slice(1);

export const planLimits = (plan) => `${calls(plan.quota)} a month, ${number(plan.ratePerMinute)} a minute`;
