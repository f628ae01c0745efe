/** Survives a reload in this tab: the chosen slot, the form, and the request that may have been sent. */

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
  /** A request that the mentor has not decided, or an accepted booking whose session is not there yet. */
  bookingId: string | null;
  /** The person who was signed in, by `sub` of the token; null where that was not known. */
  userId: string | null;
}

/** The places of the elements of this page. */
const places = new Set<string>();

/** The place of one element in `sessionStorage`, which may be missing or full: then nothing survives. */
export class SavedBooking {
  readonly #name: string;
  #isReleased = false;

  /** Of several elements that book the same, each has a place of its own, in the order in which they are made. */
  constructor(base: string, subject: string) {
    const name = `tutelage-booking:${base}:${subject}`;
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
    return attempt(() => JSON.parse(sessionStorage.getItem(this.#name) ?? "null") as Saved | null) ?? null;
  }

  write(saved: Saved): void {
    if (!this.#isReleased) attempt(() => sessionStorage.setItem(this.#name, JSON.stringify(saved)));
  }

  clear(): void {
    if (!this.#isReleased) attempt(() => sessionStorage.removeItem(this.#name));
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
