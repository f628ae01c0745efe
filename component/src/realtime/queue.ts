/**
 * The booking that waits for a connection: kept without any token, owned by one tab at a time, sent by its owner.
 *
 * An owner holds a lock of the booking's Idempotency-Key. A tab that is closed loses it, and the next one that shows
 * the same calendar takes the booking over.
 */

import { ApiError } from "../api/errors.js";
import type { Saved } from "../booking/storage.js";
import type { PartContext } from "../parts.js";
import { Store } from "../state/store.js";
import type { Records } from "./storage.js";

export interface QueuedBooking {
  /** The component's API and what it books. */
  subject: string;
  /** The user's id; null where it is not known: then the booking stays in the tab that made it. */
  userId: string | null;
  queuedAt: number;
  /** Whether it may have reached the API: then it may exist although it was withdrawn. */
  wasSent: boolean;
  saved: Saved;
}

export interface QueueState {
  booking: QueuedBooking | null;
}

/** Runs work under a lock that one tab at a time has. */
export type WithLock = (name: string, work: () => Promise<void>, signal: AbortSignal) => Promise<void>;

/** The API keeps answers under a key for 72 hours; beyond them, a second request would be another booking. */
const MAX_AGE_MS = 24 * 3_600_000;
const RETRY_MS = [5_000, 10_000, 20_000, 40_000, 60_000];

export class BookingQueue {
  readonly store = new Store<QueueState>({ booking: null });
  /** Called when a booking was not sent: its time has passed. */
  onExpired: (booking: QueuedBooking) => void = () => undefined;
  readonly #ended = new AbortController();
  #release: () => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  /** The keys whose locks this component has, or waits for. */
  readonly #watched = new Set<string>();
  readonly #unsubscribe: () => void;

  constructor(
    private readonly context: PartContext,
    private readonly records: Records<QueuedBooking>,
    private readonly withLock: WithLock = underWebLock,
    private readonly now: () => number = Date.now,
  ) {
    this.#unsubscribe = context.store.subscribe((state, previous) => {
      if (state.submission !== previous.submission) this.#settle();
    });
  }

  /** What this component books; of another one, bookings are not taken over. */
  get #subject(): string {
    const { client, options } = this.context;
    return [client.base, options.mentorId, options.courseId, options.listingId].join(" ");
  }

  /** Keeps a booking that could not be sent. Whether it does. */
  add(saved: Saved, error: ApiError, wasSent: boolean): boolean {
    const known = this.store.state.booking;
    const isKnown = known !== null && known.saved.request?.key === saved.request?.key;
    // A server that answers is asked again by the form; one that comes back may stumble at first.
    if (!saved.request || !(error.status === 0 || isKnown)) return false;
    const booking: QueuedBooking = {
      subject: this.#subject,
      userId: this.context.client.tokens.subject ?? known?.userId ?? null,
      queuedAt: (isKnown && known.queuedAt) || this.now(),
      wasSent: wasSent || (isKnown && known.wasSent),
      saved,
    };
    this.store.update({ booking });
    if (!isKnown) void this.#own(booking, true);
    else this.#later();
    return true;
  }

  /**
   * Takes over what other tabs have left behind, as soon as they are gone. Called again when there is a connection:
   * before, it may not be known who is signed in.
   */
  async adopt(): Promise<void> {
    for (const booking of await this.records.all()) {
      if (this.#isExpired(booking) && booking.subject !== this.#subject) {
        await this.records.delete(booking.saved.request?.key ?? "");
      } else if (booking.subject === this.#subject && !this.#watched.has(booking.saved.request?.key ?? "")) {
        void this.#own(booking, false);
      }
    }
  }

  /** There may be a connection again. */
  async send(): Promise<void> {
    clearTimeout(this.#timer);
    const { booking } = this.store.state;
    if (!booking || this.context.store.state.submission.kind !== "queued" || !navigator.onLine) return;
    if (this.#isExpired(booking)) {
      this.withdraw();
      return this.onExpired(booking);
    }
    if (!(await this.#isSamePerson(booking))) return this.#later();
    await this.context.flow.sendQueued();
  }

  /** Gives the booking back to the form. */
  withdraw(): void {
    this.context.flow.withdrawQueued();
  }

  dispose(): void {
    this.#ended.abort();
    this.#unsubscribe();
    clearTimeout(this.#timer);
    // Another component may go on with it.
    this.#release();
  }

  /** Holds a booking's lock until it is settled, or this component is gone. */
  async #own(booking: QueuedBooking, isNew: boolean): Promise<void> {
    const { key } = booking.saved.request ?? { key: "" };
    const work = async (): Promise<void> => {
      if (!isNew && !(await this.#restore(key))) return;
      if (isNew && booking.userId !== null) await this.#keep(key, booking);
      if (this.#ended.signal.aborted) return;
      if (this.store.state.booking?.saved.request?.key !== key) return this.records.delete(key);
      this.#later();
      await new Promise<void>((resolve) => (this.#release = resolve));
      if (!this.#ended.signal.aborted) await this.records.delete(key);
    };
    this.#watched.add(key);
    await this.withLock(`tutelage-booking-${key}`, work, this.#ended.signal).catch(() => undefined);
    this.#watched.delete(key);
  }

  /** Writes it down for all tabs. Where that fails, this tab's own storage has it still. */
  async #keep(key: string, booking: QueuedBooking): Promise<void> {
    try {
      await this.records.put(key, booking);
    } catch {
      return;
    }
    if (!this.#ended.signal.aborted) this.context.flow.forgetSaved();
  }

  /** Shows a booking whose tab is gone, once this component has nothing else to show. */
  async #restore(key: string): Promise<boolean> {
    await this.#untilIdle();
    const booking = await this.records.get(key);
    if (!booking || this.#ended.signal.aborted) return false;
    if (this.#isExpired(booking)) {
      await this.records.delete(key);
      this.onExpired(booking);
      return false;
    }
    if (!(await this.#isSamePerson(booking))) return false;
    this.store.update({ booking });
    this.context.flow.restoreQueued(booking.saved);
    return true;
  }

  /** The component shows its calendar, and nothing is chosen. */
  #untilIdle(): Promise<void> {
    const { store } = this.context;
    return new Promise((resolve) => {
      const look = (): void => {
        const { phase, slot, submission } = store.state;
        const isIdle = phase === "ready" && !slot && submission.kind === "none" && !this.store.state.booking;
        if (!isIdle && !this.#ended.signal.aborted) return;
        unsubscribe();
        resolve();
      };
      const unsubscribe = store.subscribe(look);
      this.#ended.signal.addEventListener("abort", look);
      look();
    });
  }

  /** Whether the person who is signed in now made the booking. */
  async #isSamePerson(booking: QueuedBooking): Promise<boolean> {
    const { tokens } = this.context.client;
    if (!tokens.canSignIn) return false;
    try {
      // The last token may have ended, and the next one be another person's.
      await tokens.get();
    } catch {
      return false;
    }
    if (booking.userId !== null && tokens.subject !== null) return tokens.subject === booking.userId;
    return this.store.state.booking?.saved.request?.key === booking.saved.request?.key;
  }

  #isExpired({ queuedAt, saved }: QueuedBooking): boolean {
    return this.now() - queuedAt > MAX_AGE_MS || Date.parse(saved.slot.startTime) <= this.now();
  }

  #later(): void {
    clearTimeout(this.#timer);
    const pause = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)] as number;
    this.#timer = setTimeout(() => void this.send(), pause * (1 + Math.random() / 2));
  }

  /** The flow has an answer, or the booking was withdrawn. */
  #settle(): void {
    const { kind } = this.context.store.state.submission;
    if (!this.store.state.booking || kind === "queued" || kind === "sending") return;
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.store.update({ booking: null });
    this.#release();
  }
}

/** Without Web Locks, which pages without TLS lack, tabs may send the same key: the API answers both with one booking. */
const underWebLock: WithLock = async (name, work, signal) => {
  if (navigator.locks) await navigator.locks.request(name, { signal }, work);
  else await work();
};
