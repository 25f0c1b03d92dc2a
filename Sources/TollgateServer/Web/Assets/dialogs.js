// Dialogs: one that asks before what cannot be undone, and one that shows a secret once. They are ready when this is loaded.

import {byId, prepareCopying, setText, show, showText, whileBusy} from "./dom.js";

let question = null;

start();

function start() {
  for (const button of document.querySelectorAll("dialog [data-closes]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("confirm-form").addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(byId("confirm-submit"), answer);
  });
  byId("secret-dialog").addEventListener("close", () => setText(byId("secret"), ""));
  prepareCopying();
}

/// Asks before something is done.
/// - typed: what has to be typed first, or null.
/// - force: `{code, label}`: the refusal after which it may be done all the same, and the words of the box for that.
/// - run: does it; is told whether it was forced. What it throws is shown, and the dialog stays.
/// - done: called with what `run` gave when the dialog has closed.
export function confirm({title, text, label, typed = null, force = null, run, done}) {
  question = {typed, force, run, done};
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-submit"), label);
  setText(byId("confirm-typed-label"), `Type ${typed} to confirm`);
  setText(byId("confirm-force-label"), force?.label ?? "");
  byId("confirm-form").reset();
  showText(byId("confirm-error"), "");
  show(byId("confirm-typed-field"), typed !== null);
  show(byId("confirm-force-field"), false);
  byId("confirm-dialog").showModal();
  if (typed === null) byId("confirm-submit").focus();
  else byId("confirm-typed").focus();
}

async function answer() {
  const {typed, force, run, done} = question;
  showText(byId("confirm-error"), "");
  if (typed !== null && byId("confirm-typed").value.trim() !== typed) {
    showText(byId("confirm-error"), `That is not ${typed}.`);
    return byId("confirm-typed").focus();
  }
  let result;
  try {
    result = await run(byId("confirm-force").checked);
  } catch (error) {
    showText(byId("confirm-error"), error.message);
    return show(byId("confirm-force-field"), Boolean(force) && error.code === force.code);
  }
  byId("confirm-dialog").close();
  done(result);
}

/// Shows a secret, which is in the page as long as the dialog is open.
export function showSecret({title, secret}) {
  setText(byId("secret-title"), title);
  setText(byId("secret"), secret);
  byId("secret-dialog").showModal();
  byId("secret-copy").focus();
}
