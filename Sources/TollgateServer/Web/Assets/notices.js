// What the page says about itself: the gate when there is nothing to show, the banner when figures are old, notices.

import {announce, byId, countDown, element, setText, show, showText, stopCountingDown} from "./dom.js";
import {exactTime, number, time} from "./format.js";

// The gate

const content = byId("account") ?? byId("overview");

/// Shows one message instead of the content. `action` is the id of its button, if it has one.
export function showGate({title, text = "", isBusy = false, action = null, tryAt = null}) {
  const hadFocus = content.contains(document.activeElement);
  const isSame = byId("gate-title").textContent === title && byId("gate-text").textContent === text;
  const isNews = byId("gate").hidden || !isSame;
  setText(byId("gate-title"), title);
  showText(byId("gate-text"), text);
  show(byId("gate-spinner"), isBusy);
  for (const button of byId("gate").querySelectorAll("button")) show(button, button.id === action);
  showCountdown("gate-countdown", tryAt);
  show(content, false);
  show(byId("gate"), true);
  if (hadFocus) byId("gate-title").focus();
  if (isNews && !isBusy) announce(`${title}. ${text}`);
}

export function showContent() {
  const hadFocus = byId("gate").contains(document.activeElement);
  stopCountingDown("gate-countdown");
  show(byId("gate"), false);
  show(content, true);
  if (hadFocus) byId("title").focus();
}

// The banner

/// The figures are from `loadedAt`, the next try is at `tryAt`.
export function showStale(title, loadedAt, tryAt) {
  const banner = byId("connection");
  const text = `Showing figures from ${time(loadedAt)}.`;
  // Said once, not at each try.
  if (banner.hidden || byId("connection-title").textContent !== title) announce(`${title} ${text}`);
  setText(byId("connection-title"), title);
  setText(byId("connection-text"), text);
  showCountdown("connection-countdown", tryAt);
  show(banner, true);
}

export function showFresh(loadedAt) {
  const banner = byId("connection");
  setText(byId("updated"), `Updated ${exactTime(loadedAt)}`);
  if (banner.hidden) return;
  stopCountingDown("connection-countdown");
  if (banner.contains(document.activeElement)) byId("title").focus();
  show(banner, false);
  announce("Connected again. The figures are up to date.");
}

function showCountdown(id, deadline) {
  show(byId(id), deadline !== null);
  if (deadline === null) return stopCountingDown(id);
  countDown(id, deadline, (seconds) => {
    setText(byId(id), seconds > 0 ? `Trying again in ${number(seconds)} s.` : "Trying again …");
  });
}

// Notices

/// Shows a notice, changes it, or takes it away when there is no content. `kind` is good, warning, danger or absent;
/// `action` is `{label, run}`.
export function notice(name, content) {
  const id = `notice-${name}`;
  const present = byId(id);
  if (!content) return present?.remove();
  const node = present ?? makeNotice(id);
  node.className = content.kind ? `notice notice--${content.kind}` : "notice";
  setText(node.querySelector("strong"), content.title);
  setText(node.querySelector("span"), content.text ?? "");
  const button = node.querySelector("button");
  show(button, Boolean(content.action));
  setText(button, content.action?.label ?? "");
  button.onclick = content.action ? () => content.action.run(button) : null;
}

function makeNotice(id) {
  const node = element("div", {id}, element("p", {class: "notice-text"}, element("strong"), element("span")),
    element("div", {class: "notice-actions"}, element("button", {class: "button button--small", type: "button"})));
  byId("notices").append(node);
  return node;
}
