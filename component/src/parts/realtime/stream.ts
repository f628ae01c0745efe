/** One stream of server-sent events that stays open: resumed by `Last-Event-ID`, with back-off, watched by its heartbeat. */

import { ApiError } from "../../api/errors.js";
import type { StreamHealth } from "../../core/telemetry.js";
import { EventParser, type ServerEvent } from "./sse.js";

/**
 * `connecting`: for the first time; `reconnecting`: it was lost; `offline`: the browser has no network; `paused`: no
 * one looks; `signed-out`: it needs a person; `refused`: there is no such stream.
 */
export type StreamState = "connecting" | "live" | "reconnecting" | "offline" | "paused" | "signed-out" | "refused";

interface StreamHandlers {
  /** Opens the connection: an answer with a good status. */
  open(headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
  onEvent(event: ServerEvent): void;
  onState(state: StreamState): void;
  /** The person has too many streams open, in all tabs. */
  onCrowded?(): void;
}

/** The server writes every 15 seconds; half a minute without anything, and the connection is dead. */
const SILENCE_MS = 30_000;
const RETRY_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;
const OFFLINE_PAUSE_MS = 30_000;
/** A connection that was open for so long is no failure: the next one is opened soon. */
const STEADY_MS = 60_000;
const FOREVER_MS = 2 ** 31 - 1;

export class EventStream {
  #state: StreamState = "connecting";
  #lastId = "";
  #retry = RETRY_MS;
  #failures = 0;
  #isPaused = false;
  #isEnded = false;
  #attempt = new AbortController();
  #wake: () => void = () => undefined;
  #health = { connectedMs: 0, disconnectedMs: 0, connections: 0 };
  #since = Date.now();

  constructor(
    private readonly handlers: StreamHandlers,
    private readonly random: () => number = Math.random,
  ) {}

  get state(): StreamState {
    return this.#state;
  }

  /** How well it went up to now; pauses do not count. */
  get health(): StreamHealth {
    this.#count();
    const { connectedMs, disconnectedMs, connections } = this.#health;
    return {
      connectedSeconds: Math.round(connectedMs / 100) / 10,
      disconnectedSeconds: Math.round(disconnectedMs / 100) / 10,
      reconnections: Math.max(0, connections - 1),
    };
  }

  /** Opens it, and keeps it open until `end`. */
  async run(): Promise<void> {
    while (!this.#isEnded) {
      if (this.#isPaused) {
        this.#enter("paused");
        await this.#sleep(FOREVER_MS);
        continue;
      }
      const failure = await this.#connect();
      if (this.#isEnded || this.#isPaused) continue;
      await this.#sleep(this.#pauseAfter(failure));
    }
  }

  /** Tries again at once, after the network or a person has come back. */
  retryNow(): void {
    if (this.#state === "live") return;
    this.#failures = 0;
    this.#wake();
  }

  /** Gives up the present connection: the network has gone. */
  drop(): void {
    this.#attempt.abort();
  }

  /** Closes the connection until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#attempt.abort();
    this.#wake();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#failures = 0;
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#attempt.abort();
    this.#wake();
  }

  /** One connection, until it ends. */
  async #connect(): Promise<unknown> {
    const attempt = (this.#attempt = new AbortController());
    let silence = setTimeout(() => attempt.abort(), SILENCE_MS);
    let openedAt = Infinity;
    try {
      const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
      const answer = await this.handlers.open(headers, attempt.signal);
      if (attempt.signal.aborted) return await answer.body?.cancel();
      openedAt = Date.now();
      this.#enter("live");
      this.#health.connections++;
      const parser = new EventParser(this.#lastId);
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      // A body does not always end with its signal.
      attempt.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
      for (;;) {
        const { done, value } = await reader.read();
        if (done || attempt.signal.aborted) return null;
        clearTimeout(silence);
        silence = setTimeout(() => attempt.abort(), SILENCE_MS);
        for (const event of parser.push(value)) {
          this.handlers.onEvent(event);
          // An event that was handled is not asked for again.
          this.#lastId = event.id;
        }
        this.#retry = parser.retry ?? this.#retry;
      }
    } catch (error) {
      return error;
    } finally {
      clearTimeout(silence);
      if (Date.now() - openedAt >= STEADY_MS) this.#failures = 0;
    }
  }

  #pauseAfter(failure: unknown): number {
    const refusal = failure instanceof ApiError && failure.status ? failure : null;
    this.#failures++;
    if (refusal?.status === 401) {
      this.#enter("signed-out");
      return FOREVER_MS;
    }
    if (refusal && !refusal.isTemporary) {
      this.#enter("refused");
      return FOREVER_MS;
    }
    if (refusal?.status === 429) this.handlers.onCrowded?.();
    if (!navigator.onLine) {
      // The browser may be wrong about it.
      this.#enter("offline");
      return OFFLINE_PAUSE_MS;
    }
    this.#enter(this.#health.connections ? "reconnecting" : this.#failures > 1 ? "reconnecting" : "connecting");
    const pause = Math.min(this.#retry * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    // Spread, so that all pages of a lost server do not come back at once.
    return Math.max(pause, (refusal?.retryAfter ?? 0) * 1000) * (1 + this.random() / 2);
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
    });
  }

  #enter(state: StreamState): void {
    if (state === this.#state) return;
    this.#count();
    this.#state = state;
    this.handlers.onState(state);
  }

  #count(): void {
    const now = Date.now();
    if (this.#state === "live") this.#health.connectedMs += now - this.#since;
    else if (this.#state !== "paused") this.#health.disconnectedMs += now - this.#since;
    this.#since = now;
  }
}
