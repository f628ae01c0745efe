/** Survives a reload in this tab, and the payment page in any: the chosen slot, the form, and the request that may have been sent. */

import type { Slot } from "../api/types.js";
import type { Form } from "./state.js";

/** A request as it was sent first: a replay has the same bytes and the same key, and is answered the same. */
export interface SentRequest {
  path: string;
  body: string;
  key: string;
  /** When it was sent first, in milliseconds since the epoch. */
  sentAt: number;
}

export interface Saved {
  slot: Slot;
  listingId: string | null;
  durationMinutes: number;
  slotMentorId: string | null;
  /** `product:ID` or `bundle:ID`. */
  payment: string | null;
  form: Form;
  /** Set from the moment at which it is sent first until its answer has come. */
  request: SentRequest | null;
  /** A request that the mentor has not decided, or a booking that is not paid, or whose session is not there yet. */
  bookingId: string | null;
  /** The person who was signed in, by `sub` of the token; null where that was not known. */
  userId: string | null;
}

type Subject = Record<"mentorId" | "courseId" | "listingId", string | null>;

/** The component's API and what it books: what was kept for another one is not shown. */
export function subjectOf({ client, options }: { client: { base: string }; options: Subject }): string {
  return [client.base, options.mentorId, options.courseId, options.listingId].join(" ");
}

/** The places of the elements of this page. */
const places = new Set<string>();

/** The place of one element in `sessionStorage`, which may be missing or full: then nothing survives. */
export class SavedBooking {
  readonly #name: string;
  #isReleased = false;
  /** Whether other tabs find it, too. */
  #isShared = false;

  /** Of several elements that book the same, each has a place of its own, in the order in which they are made. */
  constructor(subject: string) {
    const name = `tutelage-booking:${subject}`;
    let place = name;
    for (let number = 2; places.has(place); number++) place = `${name}:${number}`;
    places.add((this.#name = place));
  }

  /** The element has left the page: one that is made after it takes its place, and what comes late changes nothing there. */
  release(): void {
    places.delete(this.#name);
    this.#isReleased = true;
  }

  read(): Saved | null {
    const own = attempt(() => sessionStorage.getItem(this.#name));
    const kept = own ?? attempt(() => localStorage.getItem(this.#name)) ?? null;
    this.#isShared = !own && kept !== null;
    return attempt(() => JSON.parse(kept ?? "null") as Saved | null) ?? null;
  }

  /**
   * @param isShared whether it is kept for other tabs and later visits, too: the payment page may lead into another tab.
   *   Of a person who is not known, it is not; nor is what they wrote.
   */
  write(saved: Saved, isShared = false): void {
    if (this.#isReleased) return;
    attempt(() => sessionStorage.setItem(this.#name, JSON.stringify(saved)));
    if (!isShared || !saved.userId) return this.#unshare();
    this.#isShared = true;
    attempt(() => localStorage.setItem(this.#name, JSON.stringify({ ...saved, form: { title: "", notes: "" } })));
  }

  clear(): void {
    if (this.#isReleased) return;
    attempt(() => sessionStorage.removeItem(this.#name));
    this.#unshare();
  }

  /** This tab goes on with something else; a later visit finds what is kept for all. */
  leave(): void {
    this.#isShared = false;
    this.clear();
  }

  #unshare(): void {
    if (this.#isShared) attempt(() => localStorage.removeItem(this.#name));
    this.#isShared = false;
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
