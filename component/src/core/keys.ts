/** Idempotency-Keys of changes: the same one until the API has answered. */

import { newKey, type Client } from "../api/client.js";
import { ApiError } from "../api/errors.js";

/** A change that was sent, and has no answer yet. */
interface Attempt {
  key: string;
  /** Tells its body from another one. */
  content: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/** The API keeps answers under a key for 72 hours; beyond them, a second request would be another change. */
const ATTEMPT_MS = 24 * 3_600_000;

/**
 * Idempotency-Keys by the path of what is sent: the same change has the same key again, until the API has answered it.
 * Kept in `sessionStorage` for a reload of the page, without what people entered; where it is blocked, in memory.
 */
export class Keys {
  readonly #attempts = new Map<string, string>();

  constructor(private readonly client: Client) {}

  async send<T>(path: string, body: object, send: (key: string) => Promise<T>): Promise<T> {
    const content = hashOf(JSON.stringify(body));
    const known = this.#read(path);
    const attempt = known?.content === content ? known : { key: newKey(), content, at: Date.now() };
    this.#write(path, attempt);
    try {
      const answer = await send(attempt.key);
      this.forget(path);
      return answer;
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.forget(path);
      throw error;
    }
  }

  /** Whether something was sent there of which the outcome is not known. */
  isOpen(path: string): boolean {
    return this.#read(path) !== null;
  }

  forget(path: string): void {
    const name = this.#nameOf(path);
    this.#attempts.delete(name);
    inStorage((storage) => storage.removeItem(name));
  }

  #read(path: string): Attempt | null {
    const name = this.#nameOf(path);
    const kept = this.#attempts.get(name) ?? inStorage((storage) => storage.getItem(name));
    const attempt = kept ? (JSON.parse(kept) as Attempt) : null;
    return attempt && Date.now() - attempt.at < ATTEMPT_MS ? attempt : null;
  }

  #write(path: string, attempt: Attempt): void {
    const [name, kept] = [this.#nameOf(path), JSON.stringify(attempt)];
    this.#attempts.set(name, kept);
    inStorage((storage) => storage.setItem(name, kept));
  }

  /** Another person sends nothing under it. */
  #nameOf(path: string): string {
    const { base, tokens } = this.client;
    return `tutelage-key:${base}:${tokens.subject ?? ""}:${path}`;
  }
}

function inStorage<T>(work: (storage: Storage) => T): T | null {
  try {
    return work(sessionStorage);
  } catch {
    return null;
  }
}

function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return hash;
}
