/** What several modules of the part need: moments, amounts and numbers in words, failures of one kind. */

import type { Client } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Money } from "../api/types.js";
import type { BookingState } from "../booking/state.js";
import { formatMoney } from "../format/money.js";
import { formatter } from "../format/time.js";
import type { PartContext } from "../parts.js";
import { plural, type Plural } from "../text/index.js";
import type { SessionWords } from "./text/index.js";

/** Where the free times are read: of the course, or of the mentor, whom a listing alone may name. */
export function slotsPathOf({ course, offers }: BookingState): string {
  return course ? `/courses/${course.id}/slots` : `/mentors/${offers[0]?.mentor.id}/slots`;
}

/** A date and a time of day in the visitor's zone. */
export function momentOf({ locale, zone }: { locale: string; zone: string }, instant: number): string {
  return formatter(locale, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }).format(instant);
}

/** An amount, or "Free". */
export function moneyOf({ words, locale }: { words: SessionWords; locale: string }, money: Money): string {
  return money.amount === 0 ? words.details.free : formatMoney(money, locale);
}

export function countOf({ context }: { context: PartContext }, number: number, forms: Plural): string {
  return plural(context.words.code, number, forms);
}

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
    const attempt = known?.content === content ? known : { key: crypto.randomUUID(), content, at: Date.now() };
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

/** Does the same work for several things, some at once; the results are in their order. */
export async function mapSome<T, R>(things: readonly T[], atOnce: number, work: (thing: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...things.entries()];
  const run = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return results;
}

/** What a page's own action failed with is a failure like the API's. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, "page", error instanceof Error ? error.message : typeof error === "string" ? error : "");
}
