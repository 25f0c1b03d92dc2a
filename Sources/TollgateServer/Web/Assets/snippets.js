// Credentials, and code to paste that uses them.

import {explain} from "./api.js";
import {announce, byId, setText, show, showText, whileBusy} from "./dom.js";
import {moment} from "./format.js";

const address = `${location.origin}/verify-auth`;

export const curl = (key) => `curl -X POST \\\n  -H "X-API-Key: ${key}" \\\n  ${address}`;

const javaScript = (key) => `const response = await fetch("${address}", {
  method: "POST",
  headers: { "X-API-Key": "${key}" },
});
console.log(response.status, await response.json());`;

export class Credentials {
  /// - api: what makes them; - changed: called when they are made.
  constructor(api, changed) {
    Object.assign(this, {api, changed, credentials: null, secret: null});
    byId("create-credentials").addEventListener("click", (event) => this.create(event.currentTarget));
    this.showSnippets();
  }

  /// - dialogs: what asks before the key is rotated or revoked.
  useDialogs(dialogs) {
    const name = "the publishable key";
    byId("rotate-credentials").addEventListener("click", () => dialogs.openRotation({
      name, path: "/generate-credentials/rotate", previousUntil: this.credentials?.previousUntil,
      text: "The platform keeps its id and gets a new publishable key. Choose how long the old one works on, in pages "
        + "that are open somewhere.",
      rotated: (made) => {
        this.show(made);
        announce("There is a new publishable key.");
        this.changed();
      },
    }));
    byId("revoke-credentials").addEventListener("click", () => dialogs.openRevocation({
      name, method: "POST", path: "/generate-credentials/revoke",
      text: "Calls with this key, and with one that it has replaced, are refused from the next one on. This cannot be "
        + "undone; you can create another.",
      revoked: () => {
        this.show(null);
        byId("credentials-title").focus();
        announce("The publishable key is revoked.");
      },
    }));
  }

  show(credentials) {
    this.credentials = credentials;
    show(byId("credentials"), Boolean(credentials));
    show(byId("credentials-empty"), !credentials);
    setText(byId("platform-id"), credentials?.platformId ?? "");
    setText(byId("publishable-key"), credentials?.apiKey ?? "");
    const until = credentials?.previousUntil;
    showText(byId("credentials-previous"), until && Date.parse(until) > Date.now()
      ? `The key before it works until ${moment(until)}.` : "");
    this.showSnippets();
  }

  /// The secret stands in the snippets as long as it is shown at all; null afterwards.
  showSecret(secret) {
    this.secret = secret;
    this.showSnippets();
  }

  showSnippets() {
    const key = this.secret ?? this.credentials?.apiKey ?? "YOUR_API_KEY";
    setText(byId("snippet-curl"), curl(key));
    setText(byId("snippet-javascript"), javaScript(key));
  }

  create(button) {
    return whileBusy(button, async () => {
      showText(byId("credentials-error"), "");
      try {
        this.show(await this.api.call("POST", "/generate-credentials"));
        // The button is gone.
        byId("credentials-title").focus();
        announce("Your credentials are there.");
      } catch (error) {
        showText(byId("credentials-error"), explain(error));
      }
      this.changed();
    });
  }
}
