// The user who is signed in: Clerk's script, which `tollgate dev` has a stand-in for.

const loadSeconds = 15;

const setting = (name) => document.querySelector(`meta[name="tollgate-clerk-${name}"]`).content;

/// Without the settings there is no provider to sign in with.
export const isConfigured = () => Boolean(setting("key") && setting("script"));

/// Where the script comes from, for a reader whose browser keeps it out.
export const provider = () => new URL(setting("script"), location.href).host;

/// Loads the script and finds out which user is signed in. Fails when the script is kept out, silent or broken.
export async function openSession() {
  await withinTime(loadScript());
  await withinTime(window.Clerk.load());
  return window.Clerk;
}

/// What stands in the header.
export const displayName = (user) => user.fullName || user.primaryEmailAddress?.emailAddress || user.id;

export function signIn(clerk) {
  return clerk.redirectToSignIn({signInForceRedirectUrl: location.href, signUpForceRedirectUrl: location.href});
}

export function signOut(clerk) {
  return clerk.signOut({redirectUrl: location.origin + location.pathname});
}

function loadScript() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.async = true;
    script.crossOrigin = "anonymous";
    script.dataset.clerkPublishableKey = setting("key");
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The sign-in script did not load.")));
    script.src = setting("script");
    document.head.append(script);
  });
}

function withinTime(work) {
  const deadline = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("The sign-in script did not answer.")), loadSeconds * 1000);
  });
  return Promise.race([work, deadline]);
}
