// The month's usage of all users, as a file.

import {download} from "./adminapi.js";
import {byId, element} from "./dom.js";
import {tellOutcome} from "./outcome.js";

/// Of what is kept for 400 days, there is something in so many, with the present one.
const monthsKept = 14;

export function start() {
  byId("usage-month").append(...months().map((month) => element("option", {value: month}, month)));
  byId("usage-form").addEventListener("submit", (event) => {
    event.preventDefault();
    tellOutcome(byId("usage-submit"), "usage-result", async () => {
      const month = byId("usage-month").value;
      await download(`/admin/v1/usage?format=csv&month=${month}`, `usage-${month}.csv`);
      return "Your browser saves the file.";
    });
  });
}

/// As UTC has them, the present one first.
function months() {
  const now = new Date();
  return Array.from({length: monthsKept}, (_, back) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)).toISOString().slice(0, 7));
}

/// There is nothing to show before one asks for it.
export const load = () => null;
export const render = () => {};
