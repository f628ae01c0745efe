/** Actions on a session: start, complete, cancel, review, answer. They change the state that its views render. */

import { delay, type RequestOptions } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Cancellation, CancellationType, CancelledSeries, Review, Session } from "../../api/types.js";
import type { Completion } from "../../core/page.js";
import type { MovingPart, PartContext } from "../../booking/contracts.js";
import { Store } from "../../core/store.js";
import { count } from "../../ui/view.js";
import { Keys } from "../../core/keys.js";
import { SessionReader } from "./reader.js";
import {
  STATUS_AFTER,
  costsTheSame,
  fieldErrorsOf,
  initialSessionState,
  possible,
  type Absent,
  type Action,
  type DialogName,
  type SessionState,
} from "./state.js";
import type { SessionWords } from "../../i18n/enhanced/words.js";

/** How long the page's own call may take. */
const OWN_ACTION_MS = 60_000;
const EVENTS = { start: "started", complete: "completed", cancel: "cancelled", "no-show": "cancelled" } as const;
/** Refusals after which there is nothing more to enter in a dialog. */
const OVER = new Set(["already_reviewed", "already_answered", "review_not_open"]);

export class SessionFlow {
  readonly store = new Store<SessionState>(initialSessionState());
  #id: string | null = null;
  readonly #reader: SessionReader;
  readonly #keys: Keys;
  #moving: Promise<void> | null = null;
  /** Ends what is being done. */
  #run = new AbortController();
  /** Whether it may have reached the API. */
  #isSent = false;
  /** The session as it came by a stream while something was being done. */
  #missed: Session | null = null;

  constructor(
    readonly context: PartContext,
    private readonly words: () => SessionWords,
  ) {
    this.#keys = new Keys(context.client);
    this.#reader = new SessionReader(context, this.store, words);
  }

  /** Shows a session; the same one again does nothing. */
  open(id: string): void {
    if (id === this.#id) return;
    this.#id = id;
    this.store.update(initialSessionState());
    this.#reader.open(id);
    void this.load();
  }

  /** Reads the session, again too; a failure is shown. */
  async load(): Promise<void> {
    const { signal } = this.context;
    this.store.update({ error: null, phase: this.store.state.session ? "ready" : "loading" });
    try {
      await this.#reader.read();
    } catch (error) {
      if (signal.aborted) return;
      const failure = ApiError.ofPage(error);
      this.store.update({ error: failure, phase: this.store.state.session ? "ready" : "failed" });
      this.context.telemetry.failed(failure);
      this.context.emit("failed", { error: failure, during: "session" });
    }
  }

  /** A session has changed, by a stream or by the booking flow. */
  changed(session: Session): void {
    const { session: known, doing, phase } = this.store.state;
    if (session.id !== this.#id || phase === "left") return;
    if (known?.updatedAt === session.updatedAt && known.proposal?.id === session.proposal?.id) return;
    if (doing) this.#missed = session;
    // The tag for the next change, and what it costs to cancel, are not in the message.
    else if (known) this.#reader.readLater();
    else void this.load();
  }

  /** @param answering the review that is answered. */
  openDialog(dialog: DialogName, answering: Review | null = null): void {
    this.store.update({ dialog, answering, error: null, fieldErrors: {}, notice: null, plan: null });
    if (dialog === "move") this.store.state.moving?.restart();
    if (dialog === "cancel") void this.#inDialog(dialog, async () => this.store.update({ quote: await this.#reader.quote() }));
    if (dialog === "series") void this.#inDialog(dialog, async () => this.store.update({ plan: await this.#reader.plan() }));
  }

  /** What is not sent yet, or waits to be sent again, is not sent; of what is on its way, the session shows what became. */
  closeDialog(): void {
    if (!this.store.state.dialog) return;
    if (this.store.state.waiting || !this.#isSent) this.#run.abort();
    this.store.update({ dialog: null, error: null, fieldErrors: {} });
  }

  /** Shows what is wrong with a field of the dialog. */
  refuse(field: string, reason: string): void {
    this.store.update({ fieldErrors: { [field]: [reason] } });
  }

  start(): Promise<void> {
    const { onStart } = this.context.options.sessionActions ?? {};
    return this.#step("start", onStart && (() => onStart(this.#sessionId)), {});
  }

  complete(completion: Completion): Promise<void> {
    const { onComplete } = this.context.options.sessionActions ?? {};
    return this.#step("complete", onComplete && (() => onComplete(this.#sessionId, completion)), completion);
  }

  /** Cancels for what the dialog shows; where that has changed meanwhile, shows the new cost instead. */
  async cancel(reason: string, refundRequested: boolean, type?: CancellationType): Promise<void> {
    const { quote: shown, doing } = this.store.state;
    const words = this.words();
    if (doing) return;
    const action = possible(this.store.state).leave ? "leave" : "cancel";
    if (action === "cancel" && !reason.trim()) {
      return this.refuse("reason", words.cancelling.reasonMissing);
    }
    const { onCancel } = this.context.options.sessionActions ?? {};
    if (onCancel) return this.#step(action, () => onCancel(this.#sessionId, reason, type), {});
    await this.#doing(action, async () => {
      const quote = await this.#reader.quote(this.#signal);
      if (shown?.allowed && !quote.allowed) throw new ApiError(412, "stale");
      if (shown && !costsTheSame(shown, quote)) {
        this.store.update({ quote, notice: words.cancelling.costChanged });
        return;
      }
      if (action === "leave") return this.#leave(reason);
      const mayAsk = quote.cancelledBy === "mentee" && quote.refund.amount > 0;
      const body = { reason, type, ...(mayAsk && { refundRequested }) } satisfies Cancellation;
      this.#stepDone(action, await this.#postStep(action, body));
    });
  }

  /** The part that moves sessions; it is loaded when there is something of it to show. */
  moving(): MovingPart | null {
    const { store, context } = this;
    this.#moving ??= context.lazy.moving().then(
      ({ Moving }) => store.update({ moving: new Moving(context) }),
      () => store.update({ error: ApiError.ofPart() }),
    );
    return store.state.moving;
  }

  /** Moves the session, or answers a proposal; gives why that was refused. */
  async move(path: string, body: object, done: string): Promise<ApiError | null> {
    const before = this.store.state.session?.startTime;
    await this.#doing("move", async () => {
      await this.#postStep(path, body);
      this.#finished("move", done);
      // It is done, whether or not it can be read at once.
      await this.#reader.read().catch(() => this.#reader.schedule());
      const { session } = this.store.state;
      if (session && session.startTime !== before) this.context.emit("rescheduled", { session });
    });
    return this.store.state.error;
  }

  async review(rating: number | null, comment: string): Promise<void> {
    const words = this.words();
    if (!rating) return this.refuse("rating", words.reviewing.ratingMissing);
    await this.#doing("review", async () => {
      const body = { rating, ...(comment.trim() && { comment: comment.trim() }) };
      const review = await this.#post<Review>(`/sessions/${this.#sessionId}/review`, body);
      this.store.update({ reviews: [review], permit: null });
      this.#finished("review");
    });
  }

  /** Reports who did not come, which cancels the session. */
  async reportNoShow(who: Absent): Promise<void> {
    await this.#doing("no-show", async () => {
      this.#stepDone("no-show", await this.#postStep("no-show", { who }));
    });
  }

  /** Answers the review of the dialog; there is one answer, which is never changed. */
  async answer(answer: string): Promise<void> {
    const { answering } = this.store.state;
    if (!answer) return this.refuse("answer", this.words().reviewing.answerMissing);
    await this.#doing("answer", async () => {
      const body = { answer, reviewId: answering?.id };
      const answered = await this.#post<Review>(`/sessions/${this.#sessionId}/review/answer`, body);
      const reviews = this.store.state.reviews.map((each) => (each.id === answered.id ? answered : each));
      this.store.update({ reviews });
      this.#finished("answer");
    });
  }

  /** Cancels this session and the later ones of its series, for what the dialog shows, or shows the new cost instead. */
  async cancelSeries(reason: string, refundRequested: boolean, type?: CancellationType): Promise<void> {
    const { session, booking, plan: shown } = this.store.state;
    const words = this.words();
    if (!reason.trim()) return this.refuse("reason", words.cancelling.reasonMissing);
    await this.#doing("series", async () => {
      const plan = await this.#reader.plan(this.#signal);
      if (JSON.stringify(plan) !== JSON.stringify(shown)) {
        return this.store.update({ plan, notice: words.cancelling.costChanged });
      }
      const body = { from: session?.startTime, reason, type, refundRequested };
      const { kept } = await this.#post<CancelledSeries>(`/series/${booking?.seriesId}/cancel`, body);
      await this.#reader.read();
      this.#finished("series");
      if (kept.length) {
        const dates = count(this.context, kept.length, words.plurals.dates);
        this.store.update({ notice: `${words.done.series} ${words.series.kept(dates)}` });
      }
      const now = this.store.state.session;
      if (now?.status === "cancelled") this.#emitStep("cancel", now);
    });
  }

  get #sessionId(): string {
    return this.#id ?? "";
  }

  /** A step by the page's own call, where it gave one, or by ours; shown as made meanwhile where that is wanted. */
  async #step(action: "start" | "complete" | "cancel" | "leave", own: (() => unknown) | undefined, body: object): Promise<void> {
    const { session } = this.store.state;
    await this.#doing(action, async () => {
      const status = STATUS_AFTER[action];
      if (this.context.options.optimistic && session && status) this.store.update({ session: { ...session, status } });
      if (!own) return this.#stepDone(action, await this.#postStep(action, body));
      await this.#ownAction(own);
      await this.#reader.read();
      const now = this.store.state.session;
      // The page may have asked its own visitor, who thought better of it.
      if (now && now.status === status) this.#stepDone(action, now);
      else this.store.update({ dialog: null });
    });
  }

  /** The page's call, which may show a form of its own; where it takes too long, people go on without it. */
  async #ownAction(own: () => unknown): Promise<void> {
    const { signal } = this.context;
    this.#isSent = true;
    const call = Promise.resolve(own());
    const isLate = await Promise.race([call.then(() => false), delay(OWN_ACTION_MS, signal).then(() => true)]);
    if (!isLate) return;
    void call.then(
      () => (signal.aborted ? undefined : this.load()),
      () => undefined,
    );
    throw new ApiError(0, "timeout");
  }

  #postStep(action: string, body: object): Promise<Session> {
    const { tag: ifMatch } = this.store.state;
    const onTag = (tag: string | null): void => this.store.update({ tag });
    return this.#post<Session>(`/sessions/${this.#sessionId}/${action}`, body, { ifMatch, onTag });
  }

  /** Shows the session after a step. Booking, quote and reviews are read afterwards: the next step need not wait for them. */
  #stepDone(action: Action, session: Session): void {
    this.store.update({ session });
    this.#finished(action);
    if (action in EVENTS) this.#emitStep(action as keyof typeof EVENTS, session);
    void this.#reader.readRest(session).catch(() => undefined);
  }

  async #leave(reason: string): Promise<void> {
    const { session } = this.store.state;
    await this.#post(`/group-sessions/${session?.bookingId}/leave`, reason ? { reason } : {});
    this.store.update({ phase: "left" });
    this.#finished("leave");
    // To the one who left, it is as if it were cancelled.
    if (session) this.#emitStep("cancel", session);
  }

  #emitStep(action: keyof typeof EVENTS, session: Session): void {
    this.context.emit(EVENTS[action], { session });
    this.context.flow.sessionChanged(session);
  }

  #finished(action: Action, notice = this.words().done[action as keyof SessionWords["done"]]): void {
    this.store.update({ dialog: null, notice, error: null, fieldErrors: {}, now: this.context.client.now });
    this.context.announce(notice);
    this.#reader.schedule();
  }

  /** Does one thing at a time; what fails is shown, and what was shown as made is taken back. */
  async #doing(action: Action, work: () => Promise<void>): Promise<void> {
    const { session, tag, doing } = this.store.state;
    if (doing) return;
    const { signal } = this.context;
    const run = (this.#run = new AbortController());
    this.#isSent = false;
    this.store.update({ doing: action, error: null, fieldErrors: {}, notice: null });
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      this.store.update({ session, tag });
      if (run.signal.aborted) this.#reader.readLater();
      else await this.#failed(action, ApiError.ofPage(error));
    } finally {
      if (!signal.aborted) {
        this.store.update({ doing: null, waiting: null });
        const missed = this.#missed;
        this.#missed = null;
        if (missed) this.changed(missed);
      }
    }
  }

  async #failed(action: Action, error: ApiError): Promise<void> {
    const during = action === "start" || action === "complete" || action === "cancel" ? action : "session";
    if (error.code !== "page") this.context.telemetry.failed(error);
    this.context.emit("failed", { error, during });
    if (error.status === 412 || error.code === "invalid_transition") {
      await this.#reader.read().catch(() => undefined);
      // The dialog closes where its action is no longer possible.
      const after = possible(this.store.state);
      const isThere = { ...after, series: after.cancelSeries, "no-show": after.noShow.length > 0 }[action];
      if (!isThere) this.store.update({ dialog: null });
    }
    if (OVER.has(error.code)) {
      this.store.update({ dialog: null });
      await this.#reader.read().catch(() => undefined);
    }
    this.store.update({ error, fieldErrors: fieldErrorsOf(error.details, this.words().form.line, this.context.words.reason) });
  }

  async #inDialog(dialog: DialogName, work: () => Promise<void>): Promise<void> {
    const { signal } = this.context;
    try {
      await work();
    } catch (error) {
      if (!signal.aborted && this.store.state.dialog === dialog) this.store.update({ error: ApiError.ofPage(error) });
    }
  }

  /** Of what is being done. */
  get #signal(): AbortSignal {
    return AbortSignal.any([this.context.signal, this.#run.signal]);
  }

  #post<T>(path: string, body: object, options: RequestOptions = {}): Promise<T> {
    const signal = this.#signal;
    this.#isSent = true;
    return this.#keys.send(`${path} ${options.ifMatch ?? ""}`, body, (key) =>
      this.context.client.post<T>(path, body, { ...options, key, signal, onWaiting: this.#reader.onWaiting }),
    );
  }
}
