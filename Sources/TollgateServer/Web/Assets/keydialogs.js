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
    Object.assign(this, {api, changed, showSecret, target: null});
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

  open(name, target) {
    this.target = target;
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

  /// Asks before a key is rotated.
  /// - target: what it is called, where that is sent, since when it is being rotated, and what is done with the answer.
  openRotation(target) {
    setText(byId("rotate-title"), `Rotate ${target.name}`);
    setText(byId("rotate-text"), target.text);
    const isRotating = target.previousUntil && Date.parse(target.previousUntil) > Date.now();
    showText(byId("rotate-note"), isRotating ? "The key before the present one ends at once." : "");
    this.open("rotate", target);
  }

  openRotate(key) {
    this.openRotation({
      name: `“${key.name}”`, path: `/keys/${encodeURIComponent(key.id)}/rotate`, previousUntil: key.previousUntil,
      text: "The key gets a new secret and keeps its name, scopes and expiry. Choose how long the old one works on.",
      rotated: (made) => this.openSecret(made, made.previousUntil
        ? `The old secret works until ${moment(made.previousUntil)}.` : "The old secret has ended."),
    });
  }

  async rotate(form) {
    const overlapSeconds = Number(form.get("overlap"));
    const made = await this.api.call("POST", this.target.path, {overlapSeconds});
    byId("rotate-dialog").close();
    this.target.rotated(made);
  }

  // Revoke

  /// Asks before a key is revoked.
  openRevocation(target) {
    setText(byId("revoke-title"), `Revoke ${target.name}?`);
    setText(byId("revoke-text"), target.text);
    this.open("revoke", target);
  }

  openRevoke(key) {
    this.openRevocation({
      name: `“${key.name}”`, method: "DELETE", path: `/keys/${encodeURIComponent(key.id)}`,
      text: "Calls with this key are refused from the next one on. This cannot be undone.",
      revoked: () => {
        byId("keys-title").focus();
        announce(`${key.name} is revoked.`);
      },
    });
  }

  async revoke() {
    await this.api.call(this.target.method, this.target.path);
    byId("revoke-dialog").close();
    this.target.revoked();
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
