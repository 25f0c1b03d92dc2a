// Credentials, and code to paste that uses them.

import {explain} from "./api.js";
import {announce, byId, setText, show, showText, whileBusy} from "./dom.js";

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

  show(credentials) {
    this.credentials = credentials;
    show(byId("credentials"), Boolean(credentials));
    show(byId("credentials-empty"), !credentials);
    setText(byId("platform-id"), credentials?.platformId ?? "");
    setText(byId("publishable-key"), credentials?.apiKey ?? "");
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
