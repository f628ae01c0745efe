/** Sends a booking until it is answered, and follows it until its session exists, across reloads of the page. */

import { ApiError } from "../api/errors.js";
import type { Booked, Booking, Session } from "../api/types.js";
import { withoutOverlap } from "../calendar/slots.js";
import { BookingFollower } from "./follow.js";
import type { FlowContext } from "./flow.js";
import { bookedFrom, bookingRequest } from "./request.js";
import { keyOf } from "./state.js";
import type { Saved, SavedBooking, SentRequest } from "./storage.js";

/** Seconds for which the API waits for the session before it answers that it is pending. */
const WAIT_SECONDS = 8;
const ATTEMPTS = 5;

export class Submitter {
  readonly #ended = new AbortController();
  readonly #follower: BookingFollower;
  #request: SentRequest | null = null;
  /** The key of the last request that may have reached the API. */
  #sentKey: string | null = null;

  constructor(
    private readonly context: FlowContext,
    private readonly saved: SavedBooking,
    /** The API refused, or no answer came. */
    private readonly onRefused: (error: ApiError) => void,
    /** It is booked, requested or queued: its time needs no hold. */
    private readonly onBooked: () => void,
  ) {
    this.#follower = new BookingFollower(context);
  }

  /** Sends what is chosen and filled in; with the same bytes and key, where that may have been sent before. */
  async submit(): Promise<void> {
    const { enhanced, store } = this.context;
    const wanted = bookingRequest(store.state, this.context.course, enhanced?.recurrence() ?? null, crypto.randomUUID());
    const isSame = this.#request?.body === wanted.body && this.#request.path === wanted.path;
    await this.#send(isSame && this.#request ? this.#request : wanted);
  }

  /** Takes up a request that may have been answered before a reload: the same key is answered the same. */
  async resume(request: SentRequest): Promise<void> {
    await this.#send(request);
  }

  /** Shows a booking that waits to be sent. */
  restoreQueued(request: SentRequest): void {
    this.#request = request;
    this.context.store.update({ submission: { kind: "queued" } });
  }

  /** Sends the booking that waits, as it was. */
  async sendQueued(): Promise<void> {
    if (this.#request && this.context.store.state.submission.kind === "queued") await this.#send(this.#request);
  }

  /** Takes up a booking that was not decided, or had no session, before a reload. */
  async resumeBooking(id: string): Promise<void> {
    const { client, store } = this.context;
    try {
      const booking = await client.get<Booking>(`/bookings/${id}`, {}, { signal: this.#ended.signal });
      if (booking.status === "draft") {
        store.update({ submission: { kind: "requested", booking } });
        void this.#awaitDecision(booking);
      } else if (booking.status === "accepted") void this.#awaitSession({ booking, session: null });
      else this.saved.clear();
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.saved.clear();
    }
  }

  /** What was sent is a different thing from what is chosen next. */
  forget(): void {
    this.#request = null;
    this.#follower.dispose();
    this.saved.clear();
  }

  /** Keeps what is chosen and filled in for a reload of the page. */
  save(bookingId: string | null = null): void {
    const saved = this.#current(bookingId);
    if (saved) this.saved.write(saved);
  }

  /** Withdraws the request that the mentor has not decided. */
  async withdraw(): Promise<void> {
    const { client, store } = this.context;
    const { submission } = store.state;
    if (submission.kind !== "requested") return;
    const path = `/bookings/${submission.booking.id}`;
    try {
      this.bookingChanged(await client.post<Booking>(`${path}/cancel`, {}, { key: crypto.randomUUID() }));
    } catch (error) {
      const failure = ApiError.of(error);
      // Decided meanwhile: the booking tells how.
      if (failure.code === "invalid_transition") this.bookingChanged(await client.get<Booking>(path));
      else this.#report(failure, "cancel");
    }
  }

  /** A session has changed: that of the booking which is pending or requested becomes the result. */
  sessionChanged(session: Session): void {
    const { submission } = this.context.store.state;
    const isAwaited = submission.kind === "pending" || submission.kind === "requested";
    if (!isAwaited || session.bookingId !== submission.booking.id) return;
    const booking: Booking = { ...submission.booking, status: "accepted", sessionId: session.id };
    this.#follower.dispose();
    this.#sessionExists({ ...submission, booking, session });
  }

  /** The booking that was requested has changed: decided, withdrawn or expired. */
  bookingChanged(booking: Booking): void {
    const { submission } = this.context.store.state;
    if (submission.kind !== "requested" || booking.id !== submission.booking.id) return;
    if (booking.status === "accepted") return void this.#awaitSession({ ...submission, booking, session: null });
    if (booking.status === "draft") return;
    this.forget();
    this.context.store.update({ submission: { kind: "closed", booking } });
  }

  dispose(): void {
    this.#ended.abort();
    this.#follower.dispose();
  }

  #current(bookingId: string | null = null): Saved | null {
    const { slot, slotMentorId, listing, durationMinutes, payment, form } = this.context.store.state;
    if (!slot) return null;
    return {
      slot,
      slotMentorId,
      listingId: listing?.id ?? null,
      durationMinutes,
      payment: keyOf(payment),
      form,
      request: bookingId ? null : this.#request,
      bookingId,
      userId: this.context.client.tokens.subject,
    };
  }

  /** Whether the realtime part keeps the booking until there is a connection. */
  #queue(error: ApiError): boolean {
    const saved = this.#current();
    const isQueued = saved && this.context.realtime?.queue(saved, error, this.#sentKey === saved.request?.key);
    if (isQueued) {
      // A hold that is still asked for must not race with the booking, once both can be sent.
      this.onBooked();
      this.context.store.update({ submission: { kind: "queued" } });
    }
    return Boolean(isQueued);
  }

  async #send(request: SentRequest): Promise<void> {
    const { client, options, store } = this.context;
    this.#request = request;
    this.save();
    if (!navigator.onLine && this.#queue(new ApiError(0, "network"))) return;
    this.#sentKey = request.key;
    const sending = { kind: "sending", optimistic: options.optimistic } as const;
    store.update({ submission: { ...sending, waiting: null }, fieldErrors: {} });
    try {
      const answer = await client.post<Booked | Booking>(request.path, request.body, {
        key: request.key,
        wait: WAIT_SECONDS,
        attempts: ATTEMPTS,
        signal: this.#ended.signal,
        onWaiting: (waiting) => store.update({ submission: { ...sending, waiting } }),
      });
      this.#booked(bookedFrom(answer));
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      const failure = ApiError.of(error);
      if (failure.isTemporary && this.#queue(failure)) return;
      // What may have been booked is tried again with the same key; what was refused is another request.
      if (!failure.isTemporary && failure.status !== 401) this.#request = null;
      this.save();
      this.#report(failure, "book");
      this.onRefused(failure);
    }
  }

  #booked(booked: Booked): void {
    const { emit, store } = this.context;
    this.onBooked();
    this.#request = null;
    const { booking } = booked;
    const { calendar } = store.state;
    const slots = withoutOverlap(calendar.slots, booking.startTime, booking.endTime, booking.mentorProfileId);
    store.update({ calendar: { ...calendar, slots } });
    if (booked.session) return this.#sessionExists({ ...booked, session: booked.session });
    this.save(booking.id);
    if (booking.status !== "draft") return void this.#awaitSession(booked);
    store.update({ submission: { kind: "requested", ...shown(booked) } });
    emit("requested", booked);
    void this.#awaitDecision(booking);
  }

  async #awaitDecision(booking: Booking): Promise<void> {
    try {
      this.bookingChanged(await this.#follower.decision(booking.id));
    } catch (error) {
      this.#report(error, "session");
    }
  }

  async #awaitSession(booked: Booked): Promise<void> {
    this.context.store.update({ submission: { kind: "pending", ...shown(booked) } });
    try {
      this.#sessionExists({ ...booked, session: await this.#follower.session(booked.booking.sessionId ?? "") });
    } catch (error) {
      // It is booked all the same: the result stays.
      this.#report(error, "session");
    }
  }

  #sessionExists(booked: Booked & { session: Session }): void {
    this.saved.clear();
    const result = { ...shown(booked), session: booked.session };
    this.context.store.update({ submission: { kind: "booked", ...result } });
    this.context.emit("booked", result);
  }

  #report(error: unknown, during: "book" | "cancel" | "session"): void {
    if (this.#ended.signal.aborted || (error instanceof DOMException && error.name === "AbortError")) return;
    const failure = ApiError.of(error);
    this.context.telemetry.failed(failure);
    this.context.emit("failed", { error: failure, during });
  }
}

function shown({ booking, series }: Booked): Pick<Booked, "booking" | "series"> {
  return series ? { booking, series } : { booking };
}
