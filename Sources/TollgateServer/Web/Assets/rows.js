// Lists that are written again every few seconds: what stays keeps its element, and with it focus and selection.

import {element, setText, show} from "./dom.js";

/// Makes the children of `list` those of `items`, in their order.
///
/// - key: names an item among the others.
/// - make: the element of a new item.
/// - update: writes what has changed into an item's element.
export function reconcile(list, items, {key, make, update}) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const present = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const child = present.get(name) ?? make(item);
    child.dataset.key = name;
    update(child, item);
    return child;
  });
  for (const child of [...list.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, index) => {
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
  // One that was moved has lost it.
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({preventScroll: true});
}

/// A table's rows, or the words that stand in for them when there are none. When the row that had the focus is gone, the
/// table's title has it.
export function fillTable(name, items, emptyText, row) {
  const byName = (part) => document.getElementById(`${name}-${part}`);
  const hadFocus = byName("list").contains(document.activeElement);
  reconcile(byName("list"), items, row);
  if (hadFocus && !byName("list").contains(document.activeElement)) focusTitle(byName("table"));
  show(byName("table"), items.length > 0);
  setText(byName("empty"), emptyText);
  show(byName("empty"), items.length === 0);
}

function focusTitle(table) {
  const title = document.getElementById(table.getAttribute("aria-labelledby"));
  (title.closest("summary") ?? title).focus();
}

/// `[[label, value], …]` as a list of facts. A value that is null is left out.
export function fillFacts(list, facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined);
  reconcile(list, known, {
    key: ([label]) => label,
    make: ([label]) => element("div", {}, element("dt", {}, label), element("dd")),
    update: (node, [, value]) => setText(node.lastChild, value),
  });
  show(list, known.length > 0);
}
