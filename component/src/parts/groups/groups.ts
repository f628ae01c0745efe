/** Group sessions of a course or a mentor: take a place, give it up with its cost shown first, wait for one. */

import { delay, newKey } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Answers, Bundle, CancellationQuote, GroupSession, Page, Session, Terms, WaitlistEntry } from "../../api/types.js";
import type { FormPart, GroupsPart, ListedGroups, PartContext, PayingPart } from "../../booking/contracts.js";
import { fieldErrorsFrom } from "../../booking/request.js";
import { answerField, type FieldErrors } from "../../booking/state.js";
import { Store, renderOn } from "../../core/store.js";
import { Latest, whenShown } from "../../core/work.js";
import { Keys } from "../../core/keys.js";
import type { ExtrasWords } from "../../i18n/enhanced/words.js";

const SHOWN_AT_ONCE = 20;
/** Groups older than this are read again when the page is looked at. */
const STALE_MS = 60_000;
const PENDING_PAUSE_MS = 1_000;
/** The last steps of the paths that take a place. */
const [JOIN, ACCEPT] = ["join", "waitlist/accept-offer"] as const;

/** `accept` takes the place that is kept for the visitor, `unwait` declines it or leaves the waiting list. */
export type GroupAction = "join" | "leave" | "wait" | "accept" | "unwait";

export interface GroupsState extends ListedGroups {
  hasMore: boolean;
  /** The visitor's own, which can still pay. */
  bundles: Bundle[];
  /** The cost of giving up a place, by the group's id. */
  quotes: ReadonlyMap<string, CancellationQuote>;
  /** Until when a place is kept for the visitor, by the group's id. */
  keptUntil: ReadonlyMap<string, string>;
  /** The action that is being done. */
  busy: { id: string; action: GroupAction } | null;
  done: { id: string; sentence: string } | null;
  failure: { id: string; error: ApiError } | null;
  /** The part that questions are rendered by, once there are some. */
  form: FormPart | null;
  /** What was answered up to now, and what is wrong with it, by the group's id. */
  answers: ReadonlyMap<string, Answers>;
  fieldErrors: { id: string; errors: FieldErrors } | null;
  /** The way to the payment page, once a place awaits its payment. */
  paying: PayingPart | null;
}

/** A visitor's standing in a group. `unpaid`, `kept`: a place is kept for them; `own`: they hold the group. */
export type Standing = "joined" | "unpaid" | "kept" | "waiting" | "open" | "full" | "own";

export function standingOf(group: GroupSession, isOwn = false): Standing {
  if (group.joined) return "joined";
  if (group.payment?.status === "awaiting") return "unpaid";
  // Places are offered in the order of the line.
  if (group.waitlistPosition !== null) return group.waitlistPosition <= group.seatsOffered ? "kept" : "waiting";
  if (isOwn) return "own";
  return group.full ? "full" : "open";
}

export class Groups implements GroupsPart {
  readonly store = new Store<GroupsState>({
    groups: null,
    hasMore: false,
    bundles: [],
    quotes: new Map(),
    keptUntil: new Map(),
    busy: null,
    done: null,
    failure: null,
    form: null,
    answers: new Map(),
    fieldErrors: null,
    paying: null,
  });
  readonly #keys: Keys;
  readonly #loads: Latest;
  isAsked = false;
  #shown = SHOWN_AT_ONCE;
  #readAt = 0;

  constructor(
    readonly context: PartContext,
    readonly words: () => ExtrasWords,
  ) {
    this.#keys = new Keys(context.client);
    this.#loads = new Latest(context.signal);
    const look = (): void => {
      if (this.isAsked && Date.now() - this.#readAt > STALE_MS) this.readAgain();
    };
    whenShown(context.signal, look);
    addEventListener("online", look, { signal: context.signal });
  }

  /** Reads them when they are first shown; visitors may not read them. */
  ask(): void {
    if (this.isAsked || !this.context.client.tokens.canSignIn) return;
    this.isAsked = true;
    queueMicrotask(() => this.readAgain());
  }

  /** A session has changed; a group's session changes how many places there are. */
  sessionChanged(session: Session): void {
    if (this.store.state.groups?.some((group) => group.id === session.bookingId)) this.readAgain();
  }

  /** Whether the visitor is the group's mentor, who has no place in it. */
  isOwn(group: GroupSession): boolean {
    const { subject } = this.context.client.tokens;
    const { offers } = this.context.store.state;
    return offers.some(({ mentor }) => mentor.id === group.mentorProfileId && mentor.userId === subject);
  }

  /** The visitor's bundles that can pay for a place. */
  bundlesFor({ courseId, durationMinutes }: GroupSession): Bundle[] {
    return this.store.state.bundles.filter(
      (bundle) => bundle.courseId === courseId && (bundle.durationMinutes ?? durationMinutes) === durationMinutes,
    );
  }

  readAgain(): void {
    if (!this.store.state.busy) void this.#load().catch(() => undefined);
  }

  showMore(): void {
    this.#shown += SHOWN_AT_ONCE;
    this.readAgain();
  }

  /** Read when people look closer: the cost of giving up, or until when a place is kept. */
  look(group: GroupSession): void {
    const standing = standingOf(group);
    const read = standing === "joined" ? this.#readQuote(group) : standing === "kept" ? this.#readKept(group) : null;
    void read?.catch((error: unknown) => this.#fail(group, error));
  }

  /** @param bundleId what pays; empty for the price. */
  join(group: GroupSession, bundleId: string): Promise<void> {
    return this.#take(group, "join", JOIN, bundleId);
  }

  accept(group: GroupSession, bundleId: string): Promise<void> {
    return this.#take(group, "accept", ACCEPT, bundleId);
  }

  wait(group: GroupSession): Promise<void> {
    return this.#doing(group, "wait", async () => {
      const { position } = await this.#post<WaitlistEntry>(`${pathOf(group)}/waitlist`, {});
      return this.words().groups.waiting(position);
    });
  }

  unwait(group: GroupSession): Promise<void> {
    return this.#doing(group, "unwait", async () => {
      const options = { method: "DELETE", key: newKey(), signal: this.context.signal } as const;
      await this.context.client.request(`${pathOf(group)}/waitlist`, options);
      return this.words().groups.stopped;
    });
  }

  answer({ id }: GroupSession, answers: Answers): void {
    this.store.update((state) => ({ answers: new Map([...state.answers, [id, answers]]) }));
  }

  /** Gives up a place for what is shown; where it would cost more meanwhile, shows that first. Unpaid (null), it costs nothing. */
  leave(group: GroupSession, shown: CancellationQuote | null): Promise<void> {
    return this.#doing(group, "leave", async () => {
      const quote = shown && (await this.#readQuote(group));
      if (quote && shown) {
        const isWorse = quote.fee.amount > shown.fee.amount || (shown.creditReturned === true && !quote.creditReturned);
        if (isWorse || !quote.allowed) throw ApiError.ofPage(this.words().cancelling.costChanged);
      }
      const session = shown && (await this.#sessionOf(group));
      await this.#post(leavePathOf(group), {});
      if (session) this.context.emit("cancelled", { session });
      return this.words().done.leave;
    });
  }

  #take(group: GroupSession, action: GroupAction, step: string, bundlePurchaseId: string): Promise<void> {
    return this.#doing(group, action, async () => {
      const { form } = this.store.state;
      const { options, words } = this.context;
      const [questions, answers] = [group.questions ?? [], this.store.state.answers.get(group.id) ?? {}];
      const errors = form?.missingAnswers({ words, locale: options.locale }, questions, answers);
      if (errors) return this.#refuse(group, errors);
      const paid = bundlePurchaseId ? { bundlePurchaseId } : { expectedPrice: group.price };
      const body = { ...paid, expectedCancellation: group.cancellationPolicy, ...form?.answersIn(questions, answers) };
      const taken = await this.#post<GroupSession>(`${pathOf(group)}/${step}`, body);
      if (!taken.joined && taken.payment) {
        this.context.emit("unpaid", { booking: taken, session: null, payment: taken.payment });
        return this.words().groups.unpaid;
      }
      await this.#joined(taken);
      return this.words().groups.done;
    });
  }

  /** Shows what is wrong with the answers; people go on at the first of them. */
  async #refuse({ id }: GroupSession, errors: FieldErrors): Promise<null> {
    this.store.update({ fieldErrors: { id, errors } });
    const { element } = this.context;
    await element.updateComplete;
    element.shadowRoot?.querySelector<HTMLElement>(`[data-group="${CSS.escape(id)}"] [aria-invalid='true']`)?.focus();
    return null;
  }

  async #joined(booking: GroupSession): Promise<void> {
    const session = await this.#sessionOf(booking).catch(() => null);
    if (session) this.context.emit("booked", { booking, session });
  }

  /** The group's session, which is made a moment after the group. */
  async #sessionOf({ sessionId }: GroupSession): Promise<Session> {
    const { signal } = this.context;
    for (;;) {
      try {
        return await this.context.client.get<Session>(`/sessions/${sessionId}`, {}, { signal });
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "session_pending") throw error;
        await delay(error.retryAfter ? error.retryAfter * 1000 : PENDING_PAUSE_MS, signal);
      }
    }
  }

  /** The latest reading alone counts: one before an action would show the group as it was. */
  async #load(): Promise<void> {
    const { client, options, store } = this.context;
    const signal = this.#loads.next();
    const { course, offers } = store.state;
    // A listing alone names its mentor, too.
    const mentorProfileId = options.mentorId ?? (course ? null : offers[0]?.mentor.id);
    const found: GroupSession[] = [];
    let cursor: string | null = null;
    const begun = Date.now();
    do {
      const query = { courseId: options.courseId, mentorProfileId, limit: SHOWN_AT_ONCE, cursor };
      const page: Page<GroupSession> = await client.get("/group-sessions", query, { signal });
      found.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor && found.length < this.#shown);
    this.#readAt = begun;
    const groups = found.filter((group) => !group.cancelledAt);
    const unpaid = this.store.state.groups?.filter((group) => standingOf(group) === "unpaid") ?? [];
    this.store.update({ groups, hasMore: cursor !== null });
    this.#settle(groups);
    for (const { id } of unpaid) this.#settlePayment(groups.find((group) => group.id === id));
    await this.#loadFor(groups);
    if (!groups.some((group) => group.courseId && !group.joined)) return;
    const bundles = await client.get<Page<Bundle>>("/bundles", { limit: 100 }, { signal });
    this.store.update({ bundles: bundles.items.filter((bundle) => bundle.status === "active") });
  }

  /** Settles requests that were sent before a reload of the page. */
  #settle(groups: readonly GroupSession[]): void {
    for (const group of groups) {
      if (!group.joined) {
        this.#keys.forget(leavePathOf(group));
        continue;
      }
      const taken = [JOIN, ACCEPT].map((step) => `${pathOf(group)}/${step}`).filter((path) => this.#keys.isOpen(path));
      for (const path of taken) this.#keys.forget(path);
      if (taken.length) void this.#joined(group);
    }
  }

  /** Says what became of a place that was not paid. */
  #settlePayment(group: GroupSession | undefined): void {
    const words = this.words().groups;
    if (!group || standingOf(group) === "unpaid") return;
    const sentence = group.joined ? words.paid : group.payment?.status === "lapsed" ? words.lapsed : null;
    if (group.joined) void this.#joined(group);
    if (!sentence || this.store.state.busy) return;
    this.store.update({ done: { id: group.id, sentence } });
    this.context.announce(sentence);
  }

  /** The parts that only some groups need. */
  async #loadFor(groups: readonly GroupSession[]): Promise<void> {
    const { context, store } = this;
    if (!store.state.form && groups.some(({ questions }) => questions?.length)) store.update({ form: await context.lazy.form() });
    if (store.state.paying || !groups.some((group) => standingOf(group) === "unpaid")) return;
    const { Paying } = await context.lazy.following();
    const paying = new Paying(context, () => this.readAgain());
    renderOn(context.element, context.signal, paying.store);
    store.update({ paying });
  }

  async #readQuote(group: GroupSession): Promise<CancellationQuote> {
    const path = `/sessions/${group.sessionId}/cancellation-quote`;
    const quote = await this.context.client.get<CancellationQuote>(path, {}, { signal: this.context.signal });
    this.store.update(({ quotes }) => ({ quotes: new Map([...quotes, [group.id, quote]]) }));
    return quote;
  }

  /** Asks until when the place is kept: to enter the list again tells those who are on it how they stand. */
  async #readKept(group: GroupSession): Promise<void> {
    const { signal } = this.context;
    const present = await this.context.client.get<GroupSession>(pathOf(group), {}, { signal });
    if (standingOf(present) !== "kept") return this.readAgain();
    const { offer } = await this.#post<WaitlistEntry>(`${pathOf(group)}/waitlist`, {});
    if (!offer) return this.readAgain();
    this.store.update(({ keptUntil }) => ({ keptUntil: new Map([...keptUntil, [group.id, offer.expiresAt]]) }));
  }

  #post<T>(path: string, body: object): Promise<T> {
    const { signal } = this.context;
    return this.#keys.send(path, body, (key) => this.context.client.post<T>(path, body, { key, signal }));
  }

  /** Does one thing at a time, says what became of it, and reads the groups again in any case. */
  async #doing(group: GroupSession, action: GroupAction, work: () => Promise<string | null>): Promise<void> {
    if (this.store.state.busy) return;
    const { id } = group;
    this.store.update({ busy: { id, action }, done: null, failure: null, fieldErrors: null });
    let sentence: string | null = null;
    try {
      sentence = await work();
    } catch (error) {
      if (this.context.signal.aborted) return;
      this.#fail(group, error);
    }
    await this.#load().catch(() => undefined);
    if (this.context.signal.aborted) return;
    this.store.update({ busy: null, ...(sentence && { done: { id, sentence } }) });
    if (!sentence) return;
    this.context.announce(sentence);
    // The visitor's own time is taken now, or free again.
    const isTime = action !== "wait" && action !== "unwait";
    if (isTime && this.context.store.state.calendar.to) void this.context.flow.reloadSlots();
  }

  /** The next answer is about the present terms, whether or not the groups can be read again. */
  #showTerms(id: string, { price, cancellation }: Partial<Terms>): void {
    const terms = price ? { price } : { cancellationPolicy: cancellation ?? null };
    this.store.update(({ groups }) => ({
      groups: groups && groups.map((group) => (group.id === id ? { ...group, ...terms } : group)),
    }));
  }

  #fail({ id }: GroupSession, reason: unknown): void {
    if (this.context.signal.aborted) return;
    const error = ApiError.ofPage(reason);
    if (error.presentTerms) this.#showTerms(id, error.presentTerms);
    if (error.code !== "page") {
      this.context.telemetry.failed(error);
      this.context.emit("failed", { error, during: "book" });
    }
    const errors = error.code === "invalid_request" ? fieldErrorsFrom(error.details, this.context.words.reason) : {};
    const isAnswer = Object.keys(errors).some((name) => name.startsWith(answerField("")));
    this.store.update(isAnswer ? { fieldErrors: { id, errors } } : { failure: { id, error } });
  }
}

function pathOf({ id }: GroupSession): string {
  return `/group-sessions/${id}`;
}

function leavePathOf(group: GroupSession): string {
  return `${pathOf(group)}/leave`;
}
