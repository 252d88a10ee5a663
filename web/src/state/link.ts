// The socket: opened, read into the store, and opened again after a growing wait when it closes or falls silent. A frame of
// status resets the wait, an open that brings nothing doesn't.
import { reconnectDelay_ms, tokenProtocol } from "../logic/reconnect";
import { kSubprotocol, type Frame } from "../protocol";
import type { Api } from "./api";
import type { Store } from "./store";

// Silent for so long, an open socket is given up: the other end is gone without a word.
const kGiveUp_ms = 8000;
const kWatch_ms = 500;

export class Link {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly store: Store, private readonly api: Api, private readonly askForToken: (why: string) => Promise<void>) {}

  start(): void {
    setInterval(() => this.watch(), kWatch_ms);
    this.open();
  }

  // Now, not at the end of the wait.
  retryNow(): void {
    if (this.store.link.phase === "waiting") this.open();
  }

  private open(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.store.setLink({ phase: "connecting", retryAt_ms: null });
    const protocols = this.api.token === null ? [kSubprotocol] : [kSubprotocol, tokenProtocol(this.api.token)];
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, protocols);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.store.setLink({ phase: "open", frame_ms: this.store.env.now_ms(), why: "" });
    };
    socket.onmessage = (message: MessageEvent<unknown>) => this.read(socket, message.data);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      void this.closed(opened, event.reason || (opened ? `closed by the other end (${event.code})` : "the server does not answer"));
    };
  }

  private read(socket: WebSocket, data: unknown): void {
    this.store.link.frame_ms = this.store.env.now_ms();
    let frame: Frame;
    try {
      frame = JSON.parse(String(data)) as Frame;
    } catch {
      this.store.unknownFrames += 1;
      return;
    }
    if (frame.type === "hello") {
      for (const { feed, after } of this.store.takeHello(frame)) {
        socket.send(JSON.stringify({ type: "resume", instance: frame.instance, feed, after }));
      }
      return;
    }
    if (frame.type === "status") this.store.link.attempt = 0;
    this.store.apply(frame, String(data));
  }

  private async closed(opened: boolean, why: string): Promise<void> {
    this.socket = null;
    // A browser doesn't say why a handshake was refused; an ordinary request does.
    if (!opened && (await this.api.isRefused())) {
      this.store.setLink({ phase: "refused", why: "the server asks for a token" });
      await this.askForToken(this.api.token === null ? "" : "The server refused this token.");
      return this.open();
    }
    const attempt = this.store.link.attempt + 1;
    const delay_ms = reconnectDelay_ms(attempt);
    this.store.setLink({ phase: "waiting", attempt, why, retryAt_ms: this.store.env.now_ms() + delay_ms });
    this.timer = setTimeout(() => this.open(), delay_ms);
  }

  private watch(): void {
    const { phase, frame_ms } = this.store.link;
    const socket = this.socket;
    if (phase !== "open" || !socket || frame_ms === null) return;
    if (this.store.env.now_ms() - frame_ms < kGiveUp_ms) return;
    this.socket = null; // its close may take minutes to be noticed
    socket.onmessage = null;
    socket.close();
    void this.closed(true, `silent for ${kGiveUp_ms / 1000} s, given up`);
  }
}
