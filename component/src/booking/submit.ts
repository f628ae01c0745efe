/** Sends a booking until it is answered, and follows it until its session exists, across reloads of the page. */

import { newKey } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Booked, Booking, Session } from "../api/types.js";
import { withoutOverlap } from "./calendar/slots.js";
import type { FlowContext, Followed, FollowingModule, FollowingPart } from "./contracts.js";
import { bookedFrom, bookingRequest, chosenQuestions } from "./request.js";
import { isAwaited, keyOf, kindOf } from "./state.js";
import type { Saved, SavedBooking, SentRequest } from "./saved.js";

/** Seconds for which the API waits for the session before it answers that it is pending. */
const WAIT_SECONDS = 8;
const ATTEMPTS = 5;
/** The API forgets a key after 72 hours: sent later, the same request would be another booking. */
const MAX_AGE_MS = 71 * 3_600_000;

export class Submitter implements Followed {
  /** The lazy part that follows a booking, once it is needed. */
  following: FollowingPart | null = null;
  #request: SentRequest | null = null;
  /** The last request that may have booked, since its answer has not come. */
  #unanswered: SentRequest | null = null;

  constructor(
    private readonly context: FlowContext,
    private readonly saved: SavedBooking,
    /** The hold that is being asked for has its answer. */
    private readonly untilHeld: () => Promise<void>,
    /** The API refused, or no answer came. */
    private readonly onRefused: (error: ApiError) => void,
    /** It is booked, requested or queued: its time needs no hold. */
    private readonly onBooked: () => void,
  ) {}

  /** Sends what is chosen and filled in; with the same bytes and key, where that may have been sent before. */
  async submit(): Promise<void> {
    const { course, enhanced, form, store } = this.context;
    const more = { ...enhanced?.extras?.series.body(), ...form?.answersIn(chosenQuestions(store.state), store.state.form.answers ?? {}) };
    const wanted = bookingRequest(store.state, course, more, newKey());
    const known = this.#request;
    const isSame = known?.body === wanted.body && known.path === wanted.path;
    const request = isSame ? known : wanted;
    await this.#send(request, isFresh(request) ? request : wanted);
  }

  /**
   * Takes up a request that may have been answered before a reload: the same key is answered the same, as long as the
   * API has it; after that, its booking is looked for. Whether there is one, or whether that cannot be known yet.
   */
  async resume(request: SentRequest): Promise<boolean> {
    this.#unanswered = request;
    return this.#send(request);
  }

  /** Shows a booking that waits to be sent. */
  restoreQueued(request: SentRequest): void {
    this.#request = request;
    this.context.store.update({ submission: { kind: "queued" } });
  }

  /** Sends the booking that waits, as it was; also where the browser believes to be offline, if a person wants it. */
  async sendQueued(isAsked: boolean): Promise<void> {
    const { submission } = this.context.store.state;
    if (this.#request && submission.kind === "queued") await this.#send(this.#request, this.#request, isAsked);
  }

  /** The next choice is another booking than the one that was sent; one that is not paid is found on a later visit. */
  forget(): void {
    const { submission } = this.context.store.state;
    this.#request = null;
    this.following?.stop();
    if (submission.kind === "unpaid") this.saved.leave();
    else this.saved.clear();
  }

  /** Keeps what is chosen and filled in, or the booking that was made of it, for a reload of the page. */
  save(booking: Booking | null = null): void {
    const saved = this.#current(booking?.id);
    if (saved) this.saved.write(saved, booking !== null && kindOf(booking) === "unpaid");
  }

  /** A session has changed: if it belongs to the booking that is pending or requested, it becomes the result. */
  sessionChanged(session: Session): void {
    const { submission } = this.context.store.state;
    if (!isAwaited(submission) || session.bookingId !== submission.booking.id) return;
    const booking: Booking = { ...submission.booking, status: "accepted", sessionId: session.id };
    this.following?.stop();
    this.#sessionExists({ ...submission, booking, session });
  }

  /** The booking that was requested or is unpaid has changed: decided, paid, withdrawn or expired. */
  bookingChanged(booking: Booking): void {
    const { submission } = this.context.store.state;
    if (!isAwaited(submission) || booking.id !== submission.booking.id || kindOf(booking) === submission.kind) return;
    if (kindOf(booking)) {
      this.save(booking);
      return this.#await({ ...submission, booking, session: null });
    }
    this.context.store.update({ submission: { kind: "closed", booking } });
    this.forget();
  }

  /** Follows the booking that is shown until its session exists; or that which was left off before a reload. */
  async follow(bookingId: string | null = null): Promise<void> {
    try {
      const part = await this.#load();
      if (this.context.signal.aborted) return;
      this.following ??= new part.Following(this.context, this);
      await this.following.follow(bookingId);
    } catch (error) {
      this.report(error, "session");
    }
  }

  report(error: unknown, during: "load" | "book" | "cancel" | "session"): void {
    if (this.context.signal.aborted) return;
    const failure = ApiError.of(error);
    this.context.telemetry.failed(failure);
    this.context.emit("failed", { error: failure, during });
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
    const isQueued = saved && this.context.realtime?.queue(saved, error, this.#unanswered?.key === saved.request?.key);
    if (isQueued) {
      // A hold that is still asked for must not race with the booking, once both can be sent.
      this.onBooked();
      this.context.store.update({ submission: { kind: "queued" } });
    }
    return Boolean(isQueued);
  }

  /**
   * Sends a request, unless one that was sent before has booked, which has had no answer and is not just repeated.
   *
   * @param renewed the request to send where the first one has booked nothing: another one where that is too old for
   *   its key, null for none.
   * @param isAsked whether it is sent although the browser believes to be offline.
   * @returns whether there is something to show; false where nothing was sent.
   */
  async #send(request: SentRequest, renewed = isFresh(request) ? request : null, isAsked = false): Promise<boolean> {
    const { client, options, store } = this.context;
    // A booking that waits is kept already: for all tabs, where that is possible.
    const isQueued = store.state.submission.kind === "queued";
    this.#request = request;
    if (!isQueued) this.save();
    if (!navigator.onLine && !isAsked && this.#queue(new ApiError(0, "network"))) return true;
    const sending = { kind: "sending", optimistic: options.optimistic } as const;
    store.update({ submission: { ...sending, waiting: null }, fieldErrors: {} });
    let answer: Booked | Booking | null;
    try {
      answer = this.#unanswered && this.#unanswered !== renewed ? await this.#find(this.#unanswered) : null;
      if (!answer) {
        this.#request = this.#unanswered = renewed;
        if (!isQueued) this.save();
        if (!renewed) {
          store.update({ submission: { kind: "none" } });
          return false;
        }
        await this.untilHeld();
        answer = await client.post<Booked | Booking>(renewed.path, renewed.body, {
          key: renewed.key,
          wait: WAIT_SECONDS,
          attempts: ATTEMPTS,
          signal: this.context.signal,
          onWaiting: (waiting) => store.update({ submission: { ...sending, waiting } }),
        });
      }
    } catch (error) {
      if (this.context.signal.aborted) return true;
      const failure = ApiError.of(error);
      if (failure.isTemporary && this.#queue(failure)) return true;
      // A request that may have booked is sent again with the same key; after a refusal, the next one has another key.
      if (!failure.isTemporary && failure.status !== 401) this.#request = this.#unanswered = null;
      this.save();
      this.report(failure, "book");
      this.onRefused(failure);
      return true;
    }
    // Booked: whatever fails from here on makes it no failure, which would be sent again under another key.
    this.#booked(bookedFrom(answer));
    return true;
  }

  async #find(request: SentRequest): Promise<Booking | null> {
    const part = await this.#load();
    return part.findBooking(this.context.client, request, this.context.signal);
  }

  #load(): Promise<FollowingModule> {
    return this.context.lazy.following().catch(() => Promise.reject(ApiError.ofPart()));
  }

  #booked(booked: Booked): void {
    const { emit, store } = this.context;
    this.onBooked();
    this.#request = this.#unanswered = null;
    const { booking } = booked;
    const { calendar } = store.state;
    const slots = withoutOverlap(calendar.slots, booking.startTime, booking.endTime, booking.mentorProfileId);
    store.update({ calendar: { ...calendar, slots } });
    if (booked.session) return this.#sessionExists({ ...booked, session: booked.session });
    this.save(booking);
    this.#await(booked);
    if (booking.status === "draft") emit("requested", booked);
  }

  /** Shows a booking whose session does not exist yet, and follows it. */
  #await(booked: Booked): void {
    const { emit, store } = this.context;
    const { payment } = booked.booking;
    const kind = kindOf(booked.booking) ?? "pending";
    store.update({ submission: { kind, ...shown(booked) } });
    if (kind === "unpaid" && payment) emit("unpaid", { ...shown(booked), session: null, payment });
    void this.follow();
  }

  #sessionExists(booked: Booked & { session: Session }): void {
    this.saved.clear();
    const result = { ...shown(booked), session: booked.session };
    this.context.store.update({ submission: { kind: "booked", ...result } });
    this.context.emit("booked", result);
  }
}

/** Whether the API still answers a request under its key as it did first. */
function isFresh({ sentAt }: SentRequest): boolean {
  return Date.now() - sentAt < MAX_AGE_MS;
}

function shown({ booking, series }: Booked): Pick<Booked, "booking" | "series"> {
  return series ? { booking, series } : { booking };
}
