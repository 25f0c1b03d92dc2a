// The dialogs that make, show, rotate and revoke a key.

import {explain} from "./api.js";
import {announce, byId, setText, show, showText, whileBusy} from "./dom.js";
import {moment} from "./format.js";
import {curl} from "./snippets.js";

const fields = {"key-name": "'name'", "key-scopes": "'scopes", "key-expiry": "'expires"};

const unanswered = "It may have been done all the same: look at the list of keys.";

export class KeyDialogs {
  /// - changed: called when a key has changed; - showSecret: called with a secret while it is shown, then with null.
  constructor(api, {changed, showSecret}) {
    Object.assign(this, {api, changed, showSecret, key: null});
    byId("create-key").addEventListener("click", () => this.openCreate());
    for (const name of ["create", "rotate", "revoke"]) this.prepareForm(name);
    for (const button of document.querySelectorAll("[data-closes]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
    this.prepareSecret();
  }

  /// Sends a form by its method of the same name, and shows beside it why that failed.
  prepareForm(name) {
    byId(`${name}-form`).addEventListener("submit", (event) => {
      event.preventDefault();
      whileBusy(byId(`${name}-submit`), async () => {
        showText(byId(`${name}-error`), "");
        try {
          await this[name](new FormData(event.target));
        } catch (error) {
          this.showError(name, explain(error, unanswered));
          this.changed();
        }
      });
    });
  }

  showError(name, text) {
    // The API's messages name the field.
    const field = name === "create" ? Object.keys(fields).find((id) => text.startsWith(fields[id])) : null;
    this.showErrorAt(field, name, text);
  }

  showErrorAt(field, name, text) {
    showText(byId(`${name}-error`), text);
    byId(field ?? `${name}-error`).focus();
    for (const id of Object.keys(fields)) byId(id).setAttribute("aria-invalid", id === field);
  }

  open(name, key) {
    this.key = key;
    byId(`${name}-form`).reset();
    showText(byId(`${name}-error`), "");
    byId(`${name}-dialog`).showModal();
  }

  // Create

  openCreate() {
    for (const id of Object.keys(fields)) byId(id).removeAttribute("aria-invalid");
    this.open("create", null);
    byId("key-name").focus();
  }

  async create(form) {
    const name = form.get("name").trim();
    if (name === "") return this.showErrorAt("key-name", "create", "The name is missing. Say what the key is for.");
    const scopes = form.get("scopes").split(/[\s,]+/).filter(Boolean);
    const body = {name, scopes, mode: form.get("mode")};
    if (form.get("expiry")) body.expiresInDays = Number(form.get("expiry"));
    const made = await this.api.call("POST", "/keys", body);
    byId("create-dialog").close();
    this.openSecret(made, "");
  }

  // Rotate

  openRotate(key) {
    setText(byId("rotate-title"), `Rotate “${key.name}”`);
    const isRotating = key.previousUntil && Date.parse(key.previousUntil) > Date.now();
    showText(byId("rotate-note"), isRotating ? "The secret before the present one ends at once." : "");
    this.open("rotate", key);
  }

  async rotate(form) {
    const overlapSeconds = Number(form.get("overlap"));
    const made = await this.api.call("POST", `/keys/${encodeURIComponent(this.key.id)}/rotate`, {overlapSeconds});
    byId("rotate-dialog").close();
    this.openSecret(made, made.previousUntil ? `The old secret works until ${moment(made.previousUntil)}.`
      : "The old secret has ended.");
  }

  // Revoke

  openRevoke(key) {
    setText(byId("revoke-title"), `Revoke “${key.name}”?`);
    this.open("revoke", key);
  }

  async revoke() {
    const {id, name} = this.key;
    await this.api.call("DELETE", `/keys/${encodeURIComponent(id)}`);
    byId("revoke-dialog").close();
    byId("keys-title").focus();
    announce(`${name} is revoked.`);
    this.changed();
  }

  // The secret, which is in the page as long as its dialog is open and nowhere afterwards

  openSecret({key}, note) {
    this.isCopied = false;
    setText(byId("secret"), key);
    setText(byId("secret-curl"), curl(key));
    showText(byId("secret-note"), note);
    show(byId("secret-uncopied"), false);
    this.showSecret(key);
    byId("secret-dialog").showModal();
    byId("secret-copy").focus();
    this.changed();
  }

  prepareSecret() {
    const dialog = byId("secret-dialog");
    byId("secret-done").addEventListener("click", () => dialog.close());
    dialog.addEventListener("copied", () => { this.isCopied = true; });
    dialog.addEventListener("cancel", (event) => this.askBeforeLosing(event));
    dialog.addEventListener("close", () => {
      setText(byId("secret"), "");
      setText(byId("secret-curl"), "");
      this.showSecret(null);
    });
  }

  /// Escape is pressed easily, and the secret would be gone.
  askBeforeLosing(event) {
    if (this.isCopied || !byId("secret-uncopied").hidden) return;
    event.preventDefault();
    show(byId("secret-uncopied"), true);
    byId("secret-uncopied").scrollIntoView({block: "nearest"});
  }
}
