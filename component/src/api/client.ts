/** Client of the API: base URL, tokens, Idempotency-Key, retries, one error shape. */

import { ApiError } from "./errors.js";
import type { Tokens } from "./token.js";
import type { Page } from "./types.js";

export { ApiError } from "./errors.js";

/** Why a request is not answered yet, and when it is sent again. */
export interface Waiting {
  reason: "network" | "rate_limited" | "unavailable";
  /** Milliseconds since the epoch. */
  until: number;
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Sent as JSON; a string is sent as it is, so that a replay has the same bytes. */
  body?: object | string;
  /** The Idempotency-Key; with it, the request may be sent again. */
  key?: string;
  /** The ETag that the resource must still have; else 412 `stale`. */
  ifMatch?: string | null;
  /** Called with the answer's ETag. */
  onTag?: (tag: string | null) => void;
  /** Seconds of `Prefer: wait`. */
  wait?: number;
  /** Whether the publishable key is enough. */
  open?: boolean;
  signal?: AbortSignal;
  /** How often it is sent at most; 4 for reads and requests with a key, else 1. */
  attempts?: number;
  /** Called before each pause, and with null when the request is sent again. */
  onWaiting?: (waiting: Waiting | null) => void;
}

const ATTEMPTS = 4;
const PAGE_SIZE = 100;
const TIMEOUT_MS = 20_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export class Client {
  /** How far the visitor's clock is ahead of the API's, in milliseconds. */
  #ahead = Infinity;

  /**
   * @param base the API's address, without a slash at the end.
   * @param ended after which nothing more is asked for.
   */
  constructor(
    readonly base: string,
    readonly tokens: Tokens,
    private readonly ended?: AbortSignal,
  ) {}

  /** The API's time, in milliseconds since the epoch: the visitor's clock may show another one. */
  get now(): number {
    return Date.now() - (Number.isFinite(this.#ahead) ? this.#ahead : 0);
  }

  /** The address of a path with its query; what is null or undefined is left out. */
  url(path: string, query: RequestOptions["query"] = {}): string {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return `${this.base}${path}${given.length ? `?${search}` : ""}`;
  }

  get<T>(path: string, query?: RequestOptions["query"], options: RequestOptions = {}): Promise<T> {
    return this.request<T>(path, { ...options, query });
  }

  post<T>(path: string, body: object | string, options: RequestOptions = {}): Promise<T> {
    return this.request<T>(path, { method: "POST", ...options, body });
  }

  /**
   * The JSON of an answer.
   *
   * @throws ApiError the API refused, or no answer came after all attempts.
   * @throws DOMException `AbortError`: `signal` was aborted, or the client has ended before.
   */
  async request<T>(path: string, options: RequestOptions = {}): Promise<T> {
    this.ended?.throwIfAborted();
    const mayRepeat = !options.method || options.method === "GET" || options.key !== undefined;
    const attempts = options.attempts ?? (mayRepeat ? ATTEMPTS : 1);
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.fetch(path, options);
        options.onTag?.(answer.headers.get("ETag"));
        return (answer.status === 204 ? null : await answer.json()) as T;
      } catch (error) {
        const failure = error instanceof ApiError ? error : ApiError.ofConnection(error);
        options.signal?.throwIfAborted();
        if (!failure.isTemporary || attempt >= attempts) throw failure;
        await this.#pause(failure, attempt, options);
      }
    }
  }

  /**
   * A single answer with a good status, its token renewed once if the API refuses it.
   *
   * @throws ApiError
   */
  async fetch(path: string, options: RequestOptions = {}, init: RequestInit = {}): Promise<Response> {
    const token = await this.tokens.get(options.open);
    const answer = await this.#send(path, options, init, token);
    if (answer.status !== 401 || !this.tokens.refuse(token)) return accepted(answer);
    return accepted(await this.#send(path, options, init, await this.tokens.get()));
  }

  async #send(path: string, options: RequestOptions, init: RequestInit, token: string | null): Promise<Response> {
    const headers = new Headers(init.headers);
    // In the query, a publishable key needs no permission of CORS, which would be asked for first.
    const key = token === this.tokens.options.publishableKey ? token : null;
    if (token && !key) headers.set("Authorization", `Bearer ${token}`);
    if (options.key) headers.set("Idempotency-Key", options.key);
    // Proxies that compress make the tag weak, and a weak one matches nothing.
    if (options.ifMatch) headers.set("If-Match", options.ifMatch.replace(/^W\//, ""));
    if (options.wait) headers.set("Prefer", `wait=${options.wait}`);
    if (options.body !== undefined) headers.set("Content-Type", "application/json");
    const timeout = AbortSignal.timeout(TIMEOUT_MS + (options.wait ?? 0) * 1000);
    try {
      const answer = await fetch(this.url(path, { ...options.query, key }), {
        credentials: "omit",
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
        ...init,
        method: options.method ?? "GET",
        body: typeof options.body === "object" ? JSON.stringify(options.body) : options.body,
        headers,
      });
      const date = Date.parse(answer.headers.get("Date") ?? "");
      // An answer that a cache has kept is older than the others.
      if (date) this.#ahead = Math.min(this.#ahead, Date.now() - date);
      return answer;
    } catch (error) {
      options.signal?.throwIfAborted();
      throw ApiError.ofConnection(error);
    }
  }

  async #pause(failure: ApiError, attempt: number, options: RequestOptions): Promise<void> {
    const asked = failure.retryAfter === null ? FIRST_PAUSE_MS * 2 ** (attempt - 1) : failure.retryAfter * 1000;
    // Spread, so that all pages of a lost server do not come back at once.
    const pause = Math.min(asked * (1 + Math.random() / 4), LONGEST_PAUSE_MS);
    const reason = failure.status === 0 ? "network" : failure.status === 429 ? "rate_limited" : "unavailable";
    options.onWaiting?.({ reason, until: Date.now() + pause });
    await delay(pause, options.signal, reason === "network");
    options.onWaiting?.(null);
  }
}

/** An Idempotency-Key of 128 random bits; pages without TLS have no `crypto.randomUUID`. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Waits.
 *
 * @param wakeOnline whether a connection that comes back ends it early.
 * @throws DOMException `AbortError`: `signal` was aborted.
 */
export async function delay(milliseconds: number, signal?: AbortSignal, wakeOnline = false): Promise<void> {
  signal?.throwIfAborted();
  const over = new AbortController();
  const options = { signal: over.signal };
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    over.signal.addEventListener("abort", () => clearTimeout(timer));
    signal?.addEventListener("abort", resolve, options);
    if (wakeOnline) addEventListener("online", resolve, options);
  });
  over.abort();
  signal?.throwIfAborted();
}

/** The items of a list, page by page, as long as they are asked for. */
export async function* itemsOf<T>(
  client: Pick<Client, "get">,
  path: string,
  query: RequestOptions["query"],
  options: RequestOptions,
): AsyncGenerator<T> {
  let cursor: string | null = null;
  do {
    const page: Page<T> = await client.get<Page<T>>(path, { ...query, limit: PAGE_SIZE, cursor }, options);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor);
}

async function accepted(answer: Response): Promise<Response> {
  if (!answer.ok) throw await ApiError.ofResponse(answer);
  return answer;
}
