// A table that grows by pages: what it has of the first page, and a button for more.

import {byId, show} from "./dom.js";
import {tellOutcome} from "./outcome.js";

export class Pages {
  /// - name: of #NAME-list, #NAME-more, #NAME-empty and #NAME-result.
  /// - ask: asks for the page that begins at a mark, for the first one at null; its `next` is the mark of the one after it.
  /// - items: the items of a page; - row: the row of an item.
  constructor(name, {ask, items, row}) {
    Object.assign(this, {name, ask, items, row, next: null});
  }

  start() {
    const button = byId(`${this.name}-more`);
    button.addEventListener("click", () => tellOutcome(button, `${this.name}-result`, () => this.showMore()));
  }

  load() {
    return this.ask(null);
  }

  render(page) {
    byId(`${this.name}-list`).replaceChildren();
    this.add(page);
    show(byId(`${this.name}-empty`), this.items(page).length === 0);
  }

  async showMore() {
    const from = this.next;
    const page = await this.ask(from);
    // It was read anew meanwhile.
    if (from !== this.next) return "";
    // The button may be gone, and those who read by the keyboard go on at the first that is new.
    this.add(page)?.focus();
    return this.next === null ? "That is all." : "";
  }

  /// Returns the first row.
  add(page) {
    const rows = this.items(page).map((item) => this.row(item));
    for (const row of rows) row.tabIndex = -1;
    byId(`${this.name}-list`).append(...rows);
    this.next = page.next;
    show(byId(`${this.name}-more`), this.next !== null);
    return rows[0];
  }
}
