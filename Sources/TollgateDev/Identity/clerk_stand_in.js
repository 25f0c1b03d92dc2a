// Stands in for ClerkJS in `tollgate dev`: the members of window.Clerk that the dashboard uses, and no others.
// https://clerk.com/docs/js-frontend/reference/objects/clerk
//
// As with Clerk, who is signed in is known to a cookie of the identity provider that no script can read, and a page
// gets session tokens, which live for a minute, and keeps them in memory.
(() => {
  "use strict";

  const provider = new URL(document.currentScript.src).origin;
  const spareSeconds = 10;

  // The provider's cookie belongs to 127.0.0.1, which for a browser is another site than localhost.
  if (location.hostname === "localhost") location.hostname = "127.0.0.1";

  async function ask(path, method = "GET") {
    const answer = await fetch(provider + path, { method, credentials: "include", cache: "no-store" });
    if (!answer.ok) throw new Error(`the identity provider answered ${answer.status}`);
    return answer.json();
  }

  class Session {
    #token = null;
    #freshUntil = 0;

    async getToken() {
      if (Date.now() < this.#freshUntil) return this.#token;
      const { jwt, expiresInSeconds } = await ask("/v1/client/token", "POST");
      this.#token = jwt;
      this.#freshUntil = jwt ? Date.now() + (expiresInSeconds - spareSeconds) * 1000 : 0;
      if (!jwt) window.Clerk.signedOut();
      return jwt;
    }
  }

  class Clerk {
    user = null;
    session = null;
    loaded = false;
    #listeners = new Set();

    async load() {
      const { user } = await ask("/v1/client");
      this.user = user;
      this.session = user ? new Session() : null;
      this.loaded = true;
      this.#tell();
    }

    addListener(listener) {
      this.#listeners.add(listener);
      if (this.loaded) listener({ user: this.user, session: this.session });
      return () => this.#listeners.delete(listener);
    }

    async redirectToSignIn({ signInForceRedirectUrl = location.href } = {}) {
      location.assign(`${provider}/sign-in?redirect_url=${encodeURIComponent(signInForceRedirectUrl)}`);
    }

    async signOut({ redirectUrl } = {}) {
      await ask("/v1/client/sign-out", "POST");
      this.signedOut();
      if (redirectUrl) location.assign(redirectUrl);
    }

    signedOut() {
      this.user = null;
      this.session = null;
      this.#tell();
    }

    #tell() {
      for (const listener of this.#listeners) listener({ user: this.user, session: this.session });
    }
  }

  window.Clerk = new Clerk();
})();
