/**
 * The booking that waits for a connection: kept without any token, owned by one tab at a time, sent by its owner.
 *
 * An owner holds a lock of the booking's Idempotency-Key. A tab that is closed loses it, and the next one that shows
 * the same calendar takes the booking over.
 */

import { ApiError } from "../../api/errors.js";
import { subjectOf, type Saved } from "../../booking/saved.js";
import type { PartContext } from "../../booking/contracts.js";
import { Store } from "../../core/store.js";
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
  /** Whether all tabs have it; else it is lost with this one. */
  isKept: boolean;
  /** Why it is not sent although there is a connection. */
  blocked: "signed-out" | "other-person" | null;
}

/** Runs work under a lock that one tab at a time has. */
export type WithLock = (name: string, work: () => Promise<void>, signal: AbortSignal) => Promise<void>;

/** The API keeps answers under a key for 72 hours; beyond them, a second request would be another booking. */
const MAX_AGE_MS = 24 * 3_600_000;
const RETRY_MS = [5_000, 10_000, 20_000, 40_000, 60_000];
const EMPTY: QueueState = { booking: null, isKept: false, blocked: null };

export class BookingQueue {
  readonly store = new Store<QueueState>(EMPTY);
  /** Called when a booking was not sent: its time has passed. */
  onExpired: (booking: QueuedBooking) => void = () => undefined;
  #release: () => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  /** The keys whose locks this component has, or waits for. */
  readonly #watched = new Set<string>();

  constructor(
    private readonly context: PartContext,
    private readonly records: Records<QueuedBooking>,
    private readonly withLock: WithLock = underWebLock,
    private readonly now: () => number = Date.now,
  ) {
    const { signal, store } = context;
    store.subscribe((state, previous) => {
      if (state.submission !== previous.submission) this.#settle();
    }, signal);
    signal.addEventListener("abort", () => {
      clearTimeout(this.#timer);
      // Another component may go on with it.
      this.#release();
    });
  }

  /** Keeps a booking that could not be sent. Whether it does. */
  add(saved: Saved, error: ApiError, wasSent: boolean): boolean {
    const known = this.store.state.booking;
    const isKnown = known !== null && keyOf(known) === saved.request?.key;
    // A server that answers is asked again by the form; one that comes back may stumble at first.
    const isLost = error.status === 0 && error.code !== "part";
    if (!saved.request || !(isLost || isKnown)) return false;
    const booking: QueuedBooking = {
      subject: subjectOf(this.context),
      userId: this.context.client.tokens.subject ?? known?.userId ?? null,
      queuedAt: (isKnown && known.queuedAt) || this.now(),
      wasSent: wasSent || (isKnown && known.wasSent),
      saved,
    };
    this.store.update({ booking, blocked: null, ...(!isKnown && { isKept: false }) });
    if (!isKnown) void this.#own(booking);
    this.#later();
    return true;
  }

  /**
   * Takes over what other tabs have left behind, as soon as they are gone. Called again when there is a connection:
   * before, it may not be known who is signed in.
   */
  async adopt(): Promise<void> {
    for (const booking of await this.records.all()) {
      const key = keyOf(booking);
      if (booking.subject === subjectOf(this.context) && !this.#watched.has(key)) void this.#takeOver(key);
      else if (this.#isExpired(booking)) await this.records.delete(key);
    }
  }

  /**
   * There may be a connection again.
   *
   * @param isAsked whether a person wants it now: the browser may be wrong about the connection.
   */
  async send(isAsked = false): Promise<void> {
    clearTimeout(this.#timer);
    const { booking, blocked: before } = this.store.state;
    if (!booking || this.context.store.state.submission.kind !== "queued") return;
    if (this.#isExpired(booking)) {
      this.withdraw();
      return this.onExpired(booking);
    }
    if (!navigator.onLine && !isAsked) return this.#later();
    const who = await this.#whoIsSignedIn(booking);
    if (this.context.signal.aborted || this.store.state.booking !== booking) return;
    const blocked = who === "signed-out" || who === "other-person" ? who : null;
    this.store.update({ blocked });
    if (blocked === "signed-out" && blocked !== before) this.context.emit("signin", {});
    if (who !== "same") return this.#later();
    await this.context.flow.sendQueued(isAsked);
  }

  /** Gives the booking back to the form. */
  withdraw(): void {
    this.context.flow.withdrawQueued();
  }

  /** Owns a booking that was made here, and keeps it for all tabs. */
  async #own(booking: QueuedBooking): Promise<void> {
    const key = keyOf(booking);
    await this.#underLock(key, async () => {
      if (booking.userId !== null) await this.#keep(key, booking);
      await this.#holdUntilSettled(key);
    });
  }

  /** Owns a booking whose tab is gone, once this component has nothing else to show. */
  async #takeOver(key: string): Promise<void> {
    let isLater = true;
    while (isLater && !this.context.signal.aborted) {
      isLater = false;
      this.#watched.add(key);
      // Without the lock: other tabs may show it sooner.
      await this.#untilIdle();
      await this.#underLock(key, async () => {
        const booking = await this.records.get(key);
        if (!booking) return;
        const who = await this.#whoIsSignedIn(booking);
        if (this.#isExpired(booking)) {
          await this.records.delete(key);
          if (who === "same") this.onExpired(booking);
        } else if (who === "same") {
          // A time may have been chosen while another tab had it.
          isLater = !this.#isIdle;
          if (isLater || this.context.signal.aborted) return;
          this.store.update({ booking, isKept: true, blocked: null });
          this.context.flow.restoreQueued(booking.saved);
          this.#later();
          await this.#holdUntilSettled(key);
        }
      });
    }
  }

  async #underLock(key: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.context;
    this.#watched.add(key);
    if (!signal.aborted) await this.withLock(`tutelage-booking-${key}`, work, signal).catch(() => undefined);
    this.#watched.delete(key);
  }

  /** Has the lock until the booking is answered or withdrawn, or this component is gone. */
  async #holdUntilSettled(key: string): Promise<void> {
    const { signal } = this.context;
    const { booking } = this.store.state;
    if (!signal.aborted && booking && keyOf(booking) === key) await new Promise<void>((resolve) => (this.#release = resolve));
    if (!signal.aborted) await this.records.delete(key);
  }

  /** Writes it down for all tabs. Where that fails, this tab's own storage has it still. */
  async #keep(key: string, booking: QueuedBooking): Promise<void> {
    try {
      await this.records.put(key, booking);
    } catch {
      return;
    }
    const { booking: shown } = this.store.state;
    if (this.context.signal.aborted || !shown || keyOf(shown) !== key) return;
    this.store.update({ isKept: true });
    this.context.flow.forgetSaved();
  }

  /** Whether the component shows its calendar, and nothing is chosen. */
  get #isIdle(): boolean {
    const { phase, slot, submission } = this.context.store.state;
    return phase === "ready" && !slot && submission.kind === "none" && !this.store.state.booking;
  }

  #untilIdle(): Promise<void> {
    const { signal, store } = this.context;
    const found = new AbortController();
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.#isIdle && !signal.aborted) return;
        found.abort();
        resolve();
      };
      store.subscribe(look, found.signal);
      signal.addEventListener("abort", look, { signal: found.signal });
      look();
    });
  }

  /** Compares the person who is signed in with the one who made the booking; `unknown` while there is no connection. */
  async #whoIsSignedIn(booking: QueuedBooking): Promise<"same" | "other-person" | "signed-out" | "unknown"> {
    const { tokens } = this.context.client;
    if (!tokens.canSignIn) return "signed-out";
    try {
      // The last token may have ended, and the next one be another person's.
      if ((await tokens.get()) === null) return "signed-out";
    } catch (error) {
      return ApiError.of(error).status === 401 ? "signed-out" : "unknown";
    }
    const { booking: shown } = this.store.state;
    const isKnown = booking.userId !== null && tokens.subject !== null;
    const isSame = isKnown ? tokens.subject === booking.userId : shown !== null && keyOf(shown) === keyOf(booking);
    return isSame ? "same" : "other-person";
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
    this.store.update(EMPTY);
    this.#release();
  }
}

function keyOf({ saved }: QueuedBooking): string {
  return saved.request?.key ?? "";
}

/** Without Web Locks, which pages without TLS lack, tabs may send the same key: the API answers both with one booking. */
const underWebLock: WithLock = async (name, work, signal) => {
  if (navigator.locks) await navigator.locks.request(name, { signal }, work);
  else await work();
};
