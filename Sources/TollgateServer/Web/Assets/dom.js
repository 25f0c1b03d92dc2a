// Making and changing the page. Data only ever becomes text: nothing here takes markup.

export const byId = (id) => document.getElementById(id);

/// A new element. Attributes that are null or false are left out; children are nodes or text.
export function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/// A new element of an SVG drawing.
export function shape(name, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function furnish(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// Writing what is there already would make screen readers speak and selections vanish: these write differences only.

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/// Shows the text, or nothing when there is none.
export function showText(node, text) {
  setText(node, text ?? "");
  show(node, Boolean(text));
}

/// Has screen readers say it when they are done with what they say now. What lies behind an open dialog is silent, so
/// a dialog has an announcer of its own.
export function announce(text) {
  const announcer = document.querySelector("dialog[open] .announcer") ?? byId("announcer");
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 100);
}

/// Runs the work of a button, which takes no second press meanwhile and keeps the focus.
export async function whileBusy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

// Buttons that copy name the element whose text they copy in data-copies.

export function prepareCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) copy(byId(button.dataset.copies), button);
  });
}

async function copy(source, button) {
  const isDone = await write(source.textContent, source);
  announce(isDone ? "Copied" : "Selected. Copy it with your keyboard.");
  if (!isDone) return;
  button.dispatchEvent(new CustomEvent("copied", {bubbles: true}));
  setText(button, "Copied");
  setTimeout(() => setText(button, "Copy"), 2000);
}

async function write(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard without HTTPS, or without leave: the selection remains to be copied by hand.
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// One clock for all countdowns.

const countdowns = new Map();

/// Calls `tell` with the seconds that are left, now and each second, and at the end once with 0. One for each name.
export function countDown(name, deadline, tell) {
  stopCountingDown(name);
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((deadline - Date.now()) / 1000));
    if (seconds === 0) stopCountingDown(name);
    tell(seconds);
  };
  countdowns.set(name, setInterval(tick, 1000));
  tick();
}

export function stopCountingDown(name) {
  clearInterval(countdowns.get(name));
  countdowns.delete(name);
}
