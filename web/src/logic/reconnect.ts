// When the page tries its socket again: after 1 s, doubling to 10 s.
const kFirst_ms = 1000;
const kMax_ms = 10_000;

export function reconnectDelay_ms(attempt: number): number {
  return Math.min(kMax_ms, kFirst_ms * 2 ** Math.min(10, Math.max(0, attempt - 1)));
}

// A subprotocol can't carry every character: the token goes as base64url of its UTF-8.
export function tokenProtocol(token: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(token)) binary += String.fromCharCode(byte);
  return `bearer.${btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}
