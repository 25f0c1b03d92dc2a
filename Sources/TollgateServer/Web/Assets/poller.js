// Polling: less often while it fails, not at all while the page is hidden.

import {SessionOver} from "./api.js";

const longestWaitSeconds = 60;

/// Seconds until the next try after so many failures in a row: 2, 4, 8 … 60, a quarter more or less so that the
/// dashboards of all customers do not come back together; never before the gateway said.
export function waitAfter(failures, retryAfterSeconds = null, random = Math.random()) {
  const wait = Math.min(longestWaitSeconds, 2 ** failures) * (0.75 + random / 2);
  return Math.max(Math.min(longestWaitSeconds, wait), (retryAfterSeconds ?? 0) + random);
}

export class Poller {
  /// - load: asks; its answer goes to `loaded`, its error with the time of the next try to `failed`, the end of the
  ///   session to `ended`.
  constructor({load, loaded, failed, ended}) {
    Object.assign(this, {load, loaded, failed, ended});
    this.intervalSeconds = 5;
    this.failures = 0;
    this.notBefore = 0;
    this.isStopped = false;
  }

  start() {
    document.addEventListener("visibilitychange", () => this.comeBack());
    addEventListener("focus", () => this.comeBack());
    addEventListener("online", () => this.now());
    // Fails at once, and so tells it.
    addEventListener("offline", () => this.now());
    this.run();
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  /// Asks now, or as soon as the gateway allows.
  now() {
    if (this.isStopped) return;
    if (Date.now() < this.notBefore) this.schedule(this.notBefore);
    else this.run();
  }

  /// Because the reader says so.
  insist() {
    this.notBefore = 0;
    this.now();
  }

  comeBack() {
    clearTimeout(this.timer);
    if (!document.hidden && !this.isRunning) this.now();
  }

  async run() {
    clearTimeout(this.timer);
    // What is on its way may be older than what made us ask.
    if (this.isRunning) return void (this.isDueAgain = true);
    this.isRunning = true;
    this.isDueAgain = false;
    const next = await this.attempt();
    this.isRunning = false;
    if (this.isStopped || next === null) return;
    this.schedule(this.isDueAgain ? Math.max(Date.now(), this.notBefore) : next);
  }

  /// When to try next; null: no more.
  async attempt() {
    try {
      const answer = await this.load();
      if (this.isStopped) return null;
      this.failures = 0;
      this.notBefore = 0;
      this.loaded(answer);
      return Date.now() + this.intervalSeconds * 1000;
    } catch (error) {
      if (this.isStopped) return null;
      return this.digest(error);
    }
  }

  digest(error) {
    if (error instanceof SessionOver) {
      this.stop();
      this.ended(error);
      return null;
    }
    this.failures += 1;
    const next = Date.now() + waitAfter(this.failures, error.retryAfterSeconds) * 1000;
    if (error.retryAfterSeconds) this.notBefore = Date.now() + error.retryAfterSeconds * 1000;
    this.failed(error, next);
    return next;
  }

  schedule(time) {
    clearTimeout(this.timer);
    if (document.hidden) return;
    this.timer = setTimeout(() => this.run(), Math.max(0, time - Date.now()));
  }
}
