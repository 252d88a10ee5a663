// Requests to the server. The token is asked for when the server first says 401, is kept for the tab alone, and goes with
// every request from then on.
import type { Fault, Letter } from "../protocol";

const kTokenKey = "tidemark.token";
const kTimeout_ms = 15_000;

export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

type Asker = (why: string) => Promise<void>;

export class Api {
  // Resolves when the user has given a token (setToken has been called by then).
  askForToken: Asker = () => Promise.reject(new ApiError(401, "the server asks for a token"));

  get token(): string | null {
    return sessionStorage.getItem(kTokenKey);
  }

  setToken(token: string): void {
    sessionStorage.setItem(kTokenKey, token);
  }

  async get<T>(path: string): Promise<T> {
    return this.request<T>(path, {});
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return this.request<T>(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "X-Tidemark-Request": "1" },
    });
  }

  // Does the server want a token, or another one? False too when it doesn't answer: then that is not the reason.
  async isRefused(): Promise<boolean> {
    try {
      return (await this.send("/api/pipelines", {})).status === 401;
    } catch {
      return false;
    }
  }

  letters(pipeline: string, after: string | null): Promise<{ letters: Letter[]; next: string | null }> {
    const query = new URLSearchParams();
    if (pipeline !== "") query.set("pipeline", pipeline);
    if (after !== null) query.set("after", after);
    return this.get(`/api/dlq?${query.toString()}`);
  }

  async faults(): Promise<Fault[]> {
    return (await this.get<{ faults: Fault[] }>("/api/demo/faults")).faults;
  }

  private send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== null) headers.set("Authorization", `Bearer ${this.token}`);
    return fetch(path, { ...init, headers, cache: "no-store", signal: AbortSignal.timeout(kTimeout_ms) });
  }

  private async request<T>(path: string, init: RequestInit): Promise<T> {
    for (;;) {
      let response: Response;
      try {
        response = await this.send(path, init);
      } catch (error) {
        const late = error instanceof DOMException && error.name === "TimeoutError";
        throw new ApiError(0, late ? `no answer within ${kTimeout_ms / 1000} s` : "the server does not answer");
      }
      if (response.status === 401) {
        await this.askForToken(this.token === null ? "" : "The server refused this token.");
        continue;
      }
      const body: unknown = await response.json().catch(() => null);
      if (!response.ok) throw new ApiError(response.status, problemText(body, response.status));
      return body as T;
    }
  }
}

function problemText(body: unknown, status: number): string {
  const problem = (body ?? {}) as { title?: string; detail?: string };
  return problem.detail || problem.title || `the server answered ${status}`;
}
