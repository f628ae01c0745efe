/** Reads the session that is shown, with its booking, quote and reviews; again when more may be possible, or others have changed it. */

import { delay, type Waiting } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Booking, CancellationQuote, Session } from "../../api/types.js";
import type { PartContext } from "../../booking/contracts.js";
import type { Store } from "../../core/store.js";
import { whenShown } from "../../core/work.js";
import { readReviews } from "./reviews.js";
import { nextLook, roleOf, type SeriesPlan, type SessionState } from "./state.js";
import type { SessionWords } from "../../i18n/enhanced/words.js";

/** How often a session that is being created is asked for, at most. */
const PREPARING_ATTEMPTS = 30;
/** How long after the completion the permit to review may still come. */
const PERMIT_DELAY_MS = 60_000;
const PERMIT_PAUSE_MS = 3_000;
/** A session older than this is read again when the page is looked at. */
const STALE_MS = 60_000;

export class SessionReader {
  #id = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #readAt = 0;

  constructor(
    private readonly context: PartContext,
    private readonly store: Store<SessionState>,
    private readonly words: () => SessionWords,
  ) {}

  /** From now on, this session is read. */
  open(id: string): void {
    this.#id = id;
    const { signal } = this.context;
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    whenShown(signal, () => {
      const { session, doing } = this.store.state;
      if (session && !doing && Date.now() - this.#readAt > STALE_MS) this.readLater();
    });
  }

  /** Reads it in the background: what fails is tried again at the next look. */
  readLater(): void {
    void this.read().catch(() => this.schedule());
  }

  /**
   * Reads the session, then its booking, quote and reviews.
   *
   * @throws ApiError
   */
  async read(): Promise<void> {
    const { signal } = this.context;
    for (let attempt = 1; ; attempt++) {
      try {
        let tag: string | null = null;
        const options = { signal, onTag: (given: string | null) => (tag = given) };
        const session = await this.context.client.get<Session>(`/sessions/${this.#id}`, {}, options);
        this.#readAt = Date.now();
        this.context.telemetry.loaded();
        // An answer that was overtaken by a step of our own is of the past.
        const known = this.store.state.session;
        if (known && Date.parse(known.updatedAt) > Date.parse(session.updatedAt)) return this.schedule();
        this.#tellChange(session);
        this.store.update({ session, tag, phase: "ready", now: this.context.client.now });
        await this.readRest(session);
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "session_pending" || attempt >= PREPARING_ATTEMPTS) throw error;
        this.store.update({ phase: "preparing" });
        await delay((error.retryAfter ?? 1) * 1000, signal);
      }
    }
  }

  /** Reads booking, quote and reviews; without them, less is shown. */
  async readRest(session: Session): Promise<void> {
    const { client, signal } = this.context;
    let failure: ApiError | null = null;
    const [booking, quote] = await Promise.all([
      client.get<Booking>(`/bookings/${session.bookingId}`, {}, { signal }).catch(() => this.store.state.booking),
      this.quote().catch((error: unknown) => {
        failure = ApiError.ofPage(error);
        return this.store.state.quote;
      }),
    ]);
    if (signal.aborted) return;
    const wasKnown = this.store.state.quote !== null;
    this.store.update({ booking, quote, now: client.now });
    // Without it, it is not known who is looking, and what they may do.
    if (!wasKnown) this.store.update({ error: quote ? null : failure });
    this.schedule();
    if (session.status === "completed") void this.#readReviews(session, signal).catch(() => undefined);
  }

  /** The permit to write a review comes a moment after the completion. */
  async #readReviews(session: Session, signal: AbortSignal): Promise<void> {
    const completedAt = Date.parse(session.completedAt ?? "");
    for (;;) {
      const found = await readReviews(this.context.client, session, roleOf(this.store.state) === "mentee", signal);
      this.store.update(found);
      if (found.permit || found.reviews.length || this.context.client.now - completedAt > PERMIT_DELAY_MS) return;
      await delay(PERMIT_PAUSE_MS, signal);
    }
  }

  /** The present cost of cancelling the rest of the series. */
  async plan(signal = this.context.signal): Promise<SeriesPlan> {
    const { session, booking } = this.store.state;
    const seen = { seriesId: booking?.seriesId, listingId: booking?.listingId, from: session?.startTime };
    const { readPlan } = await import("./plan.js").catch(() => Promise.reject(ApiError.ofPart()));
    return readPlan(this.context.client, seen, roleOf(this.store.state), signal);
  }

  /** The present cost of cancelling. */
  quote(signal = this.context.signal): Promise<CancellationQuote> {
    const options = { signal, onWaiting: this.onWaiting };
    return this.context.client.get<CancellationQuote>(`/sessions/${this.#id}/cancellation-quote`, {}, options);
  }

  /** Shown only where people wait for an action. */
  readonly onWaiting = (waiting: Waiting | null): void => {
    if (this.store.state.doing) this.store.update({ waiting });
  };

  /** Looks again when more may be possible. */
  schedule(): void {
    clearTimeout(this.#timer);
    const { session, phase, quote } = this.store.state;
    if (!session || phase !== "ready") return;
    const { client, realtime } = this.context;
    const wait = nextLook(session, client.now, realtime?.followsSessions ?? false, quote?.freeUntil);
    if (wait === null) return;
    const { signal } = this.context;
    this.#timer = setTimeout(() => {
      if (signal.aborted) return;
      // A page that no one sees, or that is busy, looks later.
      if (document.hidden || this.store.state.doing) this.schedule();
      else this.readLater();
    }, wait);
  }

  /** Says that the other side has changed the session while it is being looked at. */
  #tellChange(session: Session): void {
    const { session: known, doing } = this.store.state;
    if (!known || doing) return;
    const words = this.words();
    const isMoved = known.startTime !== session.startTime;
    const isOther = known.status !== session.status;
    const isNew = session.proposal && known.proposal?.id !== session.proposal.id;
    const notice = isOther ? words.changed(words.status[session.status]) : isMoved ? words.moved : isNew ? words.proposed : null;
    if (!notice) return;
    this.store.update({ notice, ...((isOther || isMoved) && { dialog: null }) });
    this.context.announce(notice);
  }
}
