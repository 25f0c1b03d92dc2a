// Sections that are loaded when a reader opens them, and again after each change.
//
// A panel NAME has in the page a <details id="NAME-panel">, and in it #NAME-error, #NAME-body and #NAME-result. Its
// module has `start(read)`, called once with what has it read again, and `load()` and `render(answer)`, called each time.

import {changeEvent} from "./adminapi.js";
import {byId, show, showText} from "./dom.js";

const panels = [];

/// - modules: of each name a function that loads the module.
export function startPanels(modules) {
  for (const [name, open] of Object.entries(modules)) {
    const panel = new Panel(name, open);
    panels.push(panel);
    panel.details.addEventListener("toggle", () => panel.toggled());
  }
  document.addEventListener(changeEvent, () => {
    for (const panel of panels) if (panel.details.open) panel.read();
  });
}

/// Nothing that was loaded stays.
export function closePanels() {
  for (const panel of panels) panel.details.open = false;
}

class Panel {
  constructor(name, open) {
    Object.assign(this, {name, open, module: null, turn: 0, details: byId(`${name}-panel`)});
  }

  toggled() {
    // What it said is about what was shown.
    for (const part of ["error", "result"]) showText(byId(`${this.name}-${part}`), "");
    show(byId(`${this.name}-body`), false);
    this.turn += 1;
    if (this.details.open) this.read();
  }

  async read() {
    const turn = this.turn += 1;
    let problem = "";
    try {
      const answer = await this.load();
      if (turn !== this.turn) return;
      this.module.render(answer);
    } catch (error) {
      if (turn !== this.turn) return;
      problem = error.message;
    }
    showText(byId(`${this.name}-error`), problem);
    show(byId(`${this.name}-body`), problem === "");
  }

  async load() {
    if (!this.module) {
      const module = await this.open();
      // Two that waited for it start it once.
      if (!this.module) module.start(() => this.read());
      this.module = module;
    }
    return this.module.load();
  }
}
