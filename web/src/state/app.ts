// The one store, API and socket of the page, and who may ask for the token.
import { Api } from "./api";
import { Link } from "./link";
import { Store } from "./store";

export const store = new Store({
  now_ms: () => performance.now(),
  schedule: (callback) => void requestAnimationFrame(callback),
  after: (ms, callback) => void setTimeout(callback, ms),
});

export const api = new Api();

// Everybody who is refused waits for the same form.
export class TokenGate {
  why: string | null = null; // null: nobody asks
  private waiting: (() => void)[] = [];
  private listener: () => void = () => {};

  onChange(listener: () => void): void {
    this.listener = listener;
  }

  ask(why: string): Promise<void> {
    this.why = why;
    this.listener();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(token: string): void {
    api.setToken(token);
    this.why = null;
    const waiting = this.waiting;
    this.waiting = [];
    this.listener();
    for (const resolve of waiting) resolve();
  }
}

export const gate = new TokenGate();
api.askForToken = (why) => gate.ask(why);
export const link = new Link(store, api, (why) => gate.ask(why));
