// What becomes of a button's work, told beside it.

import {Refusal, SessionOver, Unreachable} from "./api.js";
import {announce, byId, setAttribute, showText, whileBusy} from "./dom.js";

/// Does the work of a button, and shows in the element of that id what it gives, "Done." for nothing, or why it failed.
/// - isWanted: whether that is still to be shown when it is over.
export function tellOutcome(button, id, work, isWanted = () => true) {
  showText(byId(id), "");
  return whileBusy(button, async () => {
    let text;
    let kind = "";
    try {
      text = await work() ?? "Done.";
    } catch (error) {
      text = error.message;
      kind = "field-error";
      // Ours: a mistake in the page.
      if (![Refusal, SessionOver, Unreachable].some((kind) => error instanceof kind)) console.error(error);
    }
    if (!isWanted()) return;
    setAttribute(byId(id), "class", kind);
    showText(byId(id), text);
    if (text) announce(text);
  });
}
