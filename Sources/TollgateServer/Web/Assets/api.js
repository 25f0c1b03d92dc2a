// Calls of the gateway, with a fresh session token each.

const answerSeconds = 10;

/// The gateway said no, and why.
export class Refusal extends Error {
  constructor(status, answer, retryAfterSeconds) {
    super(answer.message ?? answer.error ?? `Tollgate answered with status ${status}.`);
    this.status = status;
    this.code = answer.code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/// No answer came.
export class Unreachable extends Error {}

/// The session is over: no user is signed in any more.
export class SessionOver extends Error {
  constructor(cause) {
    super("Sign in again to go on.", {cause});
  }
}

export class API {
  constructor(clerk) {
    this.clerk = clerk;
  }

  account() {
    return this.call("GET", "/account");
  }

  /// The answer's members. Throws one of the errors above.
  async call(method, path, body) {
    const response = await this.send(method, path, body, await this.token());
    // A token may have run out on its way: one that was made just now tells whether the session has.
    if (response.status !== 401) return read(response);
    return read(await this.send(method, path, body, await this.token({skipCache: true})));
  }

  async token(options) {
    let token;
    try {
      token = await this.clerk.session?.getToken(options);
    } catch (error) {
      throw unreachable("Cannot reach Tollgate: your sign-in could not be renewed.", error);
    }
    if (token) return token;
    if (!navigator.onLine) throw unreachable("");
    throw new SessionOver();
  }

  async send(method, path, body, token) {
    const headers = {Authorization: `Bearer ${token}`};
    if (body) headers["Content-Type"] = "application/json";
    try {
      return await fetch(path, {
        method, headers, body: body && JSON.stringify(body), cache: "no-store",
        signal: AbortSignal.timeout(answerSeconds * 1000),
      });
    } catch (error) {
      throw unreachable("Cannot reach Tollgate.", error);
    }
  }
}

const unreachable = (message, cause) => new Unreachable(navigator.onLine ? message : "You are offline.", {cause});

async function read(response) {
  // A proxy's error page is no JSON; an answer may break off.
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  if (response.ok) throw new Unreachable("Tollgate's answer broke off.");
  const refusal = new Refusal(response.status, answer ?? {}, retryAfter(response));
  if (response.status === 401) throw new SessionOver(refusal);
  throw refusal;
}

function retryAfter(response) {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return Number.isFinite(seconds) ? seconds : null;
}

/// What a reader is told when something that they asked for was refused.
export function explain(error, ifUnanswered = "") {
  if (error instanceof Unreachable) {
    return [error.message, "Check your connection and try again.", ifUnanswered].filter(Boolean).join(" ");
  }
  if (error.code === "rate-limit-exceeded" && error.retryAfterSeconds) {
    return `This minute’s calls are used up. Try again in ${error.retryAfterSeconds} s.`;
  }
  return error.message;
}
