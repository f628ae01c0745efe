/** Actions of people that change the state: load, choose, fill in, send. Views call these alone. */

import { ApiError } from "../api/errors.js";
import type { Booking, Listing, Session, Slot } from "../api/types.js";
import { SlotsLoader } from "./calendar/loader.js";
import { startOf } from "./calendar/slots.js";
import { dayOf } from "../i18n/time.js";
import type { BookingActions, FlowContext, FollowingPart } from "./contracts.js";
import { HoldKeeper, LOST_CODES } from "./hold.js";
import { loadOffers, offeredListings } from "./offers.js";
import { chosenListing, chosenOffer, chosenQuestions, fieldErrorsFrom, shownTerms, withListing, withTerms } from "./request.js";
import { answerField, isAwaited, isSubmitting, type FieldErrors, type Form, type PaymentChoice } from "./state.js";
import { SavedBooking, subjectOf, type Saved } from "./saved.js";
import { Submitter } from "./submit.js";

/** Slots older than this are read again when the page is looked at. */
const STALE_MS = 60_000;

export class BookingFlow implements BookingActions {
  readonly #slots: SlotsLoader;
  readonly #hold: HoldKeeper;
  readonly #saved: SavedBooking;
  readonly #submitter: Submitter;
  #isShown!: () => void;
  /** When there is something to see: the first free slots, a form that was left off, or a failure. */
  readonly shown = new Promise<void>((resolve) => (this.#isShown = resolve));

  constructor(private readonly context: FlowContext) {
    const { client, store } = context;
    this.#slots = new SlotsLoader(client, store, context.signal);
    this.#hold = new HoldKeeper(
      context,
      (error) => this.slotLost(error),
      () => this.#requireSignIn(),
      // A booking that is being sent has its own answer.
      (error) => isSubmitting(store.state) || this.#termsChanged(error),
    );
    this.#saved = new SavedBooking(subjectOf(context));
    this.#submitter = new Submitter(
      context,
      this.#saved,
      () => this.#hold.settled(),
      (error) => this.#refused(error),
      () => this.#hold.forget(),
    );
    const { signal } = context;
    const resume = (): void => this.#resume();
    document.addEventListener("visibilitychange", resume, { signal });
    addEventListener("pageshow", resume, { signal });
    addEventListener("online", resume, { signal });
    signal.addEventListener("abort", () => this.#saved.release());
  }

  // --- Loading ---

  /**
   * Loads what can be booked, with its free slots; and takes up what was left off before a reload.
   *
   * @param zoned is there once the state has its zone, without which nothing is shown.
   */
  async load(zoned?: Promise<unknown>): Promise<void> {
    const { client, options, signal, store, telemetry } = this.context;
    store.update({ phase: "loading", error: null });
    const saved = this.#saved.read();
    const begin = (path: string): void => {
      const listingId = options.listingId ?? saved?.listingId;
      const query = options.courseId ? { durationMinutes: saved?.durationMinutes } : { listingId };
      this.#slots.begin(path, query);
    };
    try {
      if (options.courseId) {
        begin(`/courses/${options.courseId}/slots`);
        this.context.course = await this.context.lazy.course();
      }
      const offered = await (this.context.course?.loadCourse ?? loadOffers)(client, options, signal, begin);
      await zoned;
      signal.throwIfAborted();
      store.update({ ...offered, phase: "ready" });
    } catch (error) {
      return this.#failLoading(error);
    }
    telemetry.loaded();
    const [offer] = store.state.offers;
    const listings = offeredListings(offer, options.listingId);
    const listing = listings.find((each) => each.id === saved?.listingId) ?? listings[0] ?? null;
    const durations = this.context.course?.durationsOf(store.state.offers);
    const savedDuration = durations?.find((each) => each === saved?.durationMinutes);
    store.update({
      listing: durations ? null : listing,
      durationMinutes: (durations ? (savedDuration ?? durations[0]) : listing?.durationMinutes) ?? 0,
      mentorId: store.state.offers.length === 1 ? (offer?.mentor.id ?? null) : null,
    });
    const restoring = saved ? this.#restore(saved) : null;
    if (store.state.durationMinutes) await this.#slots.restart();
    const { slot, zone } = store.state;
    if (slot) this.#slots.showDay(dayOf(startOf(slot), zone));
    if (store.state.calendar.slots.length) telemetry.firstSlot();
    if (store.state.calendar.error) telemetry.failed(store.state.calendar.error);
    this.#isShown();
    await restoring;
  }

  async reloadSlots(): Promise<void> {
    await this.#slots.reload();
  }

  // --- Choosing ---

  chooseListing(id: string): void {
    const { store } = this.context;
    const listing = store.state.offers[0]?.listings.find((each) => each.id === id);
    if (!listing || listing === store.state.listing) return;
    store.update({ listing, durationMinutes: listing.durationMinutes, lost: null });
    void this.#slots.restart();
  }

  chooseDuration(durationMinutes: number): void {
    this.context.store.update({ durationMinutes, lost: null });
    void this.#slots.restart();
  }

  chooseMentor(mentorId: string | null): void {
    this.context.store.update({ mentorId });
    void this.#slots.findNext();
  }

  chooseSlotMentor(slotMentorId: string): void {
    this.#hold.release();
    this.context.store.update({ slotMentorId });
    this.#submitter.save();
    void this.#hold.take();
  }

  chooseZone(zone: string): void {
    this.#slots.chooseZone(zone);
  }

  showMonth(step: 1 | -1): void {
    this.#slots.showMonth(step);
  }

  chooseDay(day: string): void {
    this.context.store.update({ day, lost: null });
  }

  findNext(): void {
    void this.#slots.findNext();
  }

  chooseSlot(slot: Slot): void {
    const { store } = this.context;
    const { form, listing, course, mentorId, offers } = store.state;
    const listings = offers.flatMap((offer) => offer.listings);
    // The title of another listing was proposed, not written by the person.
    const isOwnTitle = form.title && !listings.some((each) => each.title === form.title);
    store.update({
      slot,
      slotMentorId: mentorId ?? slot.mentorProfileIds[0] ?? null,
      lost: null,
      fieldErrors: {},
      submission: { kind: "none" },
      form: { ...form, title: isOwnTitle ? form.title : (listing?.title ?? course?.title ?? "") },
    });
    this.#submitter.forget();
    this.#submitter.save();
    this.#hold.release();
    if (!this.context.client.tokens.canSignIn) return this.#requireSignIn();
    void this.#hold.take();
    void this.#choosePayment(null);
  }

  leaveForm(): void {
    if (isSubmitting(this.context.store.state)) return;
    this.#hold.release();
    this.#submitter.forget();
    const submission = { kind: "none" } as const;
    this.context.store.update({ slot: null, submission, fieldErrors: {}, needsSignIn: false });
    this.#refreshIfStale();
  }

  holdAgain(): void {
    void this.#hold.take();
  }

  fillIn(form: Partial<Form>): void {
    const { store } = this.context;
    store.update({ form: { ...store.state.form, ...form } });
    this.#submitter.save();
  }

  choosePayment(payment: PaymentChoice): void {
    this.context.store.update({ payment });
    this.#submitter.save();
  }

  signIn(): void {
    this.context.emit("signin", {});
  }

  // --- Sending ---

  async submit(): Promise<void> {
    const { enhanced, form, options, store, words } = this.context;
    const { needsSignIn, submission, slot } = store.state;
    if (needsSignIn && submission.kind !== "refused") return this.signIn();
    if (submission.kind === "sending" || !slot || !chosenOffer(store.state)) return;
    // The listing was withdrawn while the booking waited for a connection: no other one is booked instead.
    if (!chosenListing(store.state)) return this.#refused(new ApiError(404, "not_found"));
    const { title, answers = {} } = store.state.form;
    const fieldErrors: FieldErrors = {
      ...(!title.trim() && { title: [words.form.titleMissing] }),
      ...form?.missingAnswers({ words, locale: options.locale }, chosenQuestions(store.state), answers),
    };
    if (Object.keys(fieldErrors).length) return store.update({ fieldErrors });
    // The focus goes to the field that is wrong.
    if (enhanced?.extras?.series.hasMistake()) return store.update({ fieldErrors: {} });
    await this.#submitter.submit();
  }

  get following(): FollowingPart | null {
    return this.#submitter.following;
  }

  restoreQueued(saved: Saved): void {
    const { store } = this.context;
    const { slot, slotMentorId, form, durationMinutes, listingId, request } = saved;
    const listings = store.state.offers.flatMap((offer) => offer.listings);
    const listing = listings.find((each) => each.id === listingId) ?? null;
    const isOther = durationMinutes !== store.state.durationMinutes || listing !== store.state.listing;
    store.update({ slot, slotMentorId, form, durationMinutes, listing, lost: null });
    if (request) this.#submitter.restoreQueued(request);
    if (isOther) void this.#slots.restart();
  }

  async sendQueued(isAsked = false): Promise<void> {
    await this.#submitter.sendQueued(isAsked);
  }

  withdrawQueued(): void {
    if (this.context.store.state.submission.kind !== "queued") return;
    this.#submitter.forget();
    this.context.store.update({ submission: { kind: "none" } });
    this.#submitter.save();
    void this.#hold.take();
  }

  forgetSaved(): void {
    this.#saved.clear();
  }

  slotLost(error: ApiError): void {
    const { kind } = this.context.store.state.submission;
    if (kind === "none" || kind === "refused") this.#lose(error);
  }

  bookAnother(): void {
    this.#submitter.forget();
    const form = { title: "", notes: "" };
    this.context.store.update({ slot: null, submission: { kind: "none" }, form, payment: null });
    void this.reloadSlots();
  }

  // --- What changes elsewhere ---

  sessionChanged(session: Session): void {
    this.#submitter.sessionChanged(session);
  }

  bookingChanged(booking: Booking): void {
    this.#submitter.bookingChanged(booking);
  }

  // --- Steps ---

  #refused(error: ApiError): void {
    const { store, words } = this.context;
    if (LOST_CODES.has(error.code)) return this.#lose(error);
    if (error.presentTerms) return this.#termsChanged(error);
    const fieldErrors = error.code === "invalid_request" ? fieldErrorsFrom(error.details, words.reason) : {};
    const isField = Object.keys(fieldErrors).length > 0;
    // The mentor may ask something else by now.
    if (Object.keys(fieldErrors).some((name) => name.startsWith(answerField("")))) void this.#readListing();
    store.update({ submission: isField ? { kind: "none" } : { kind: "refused", error }, fieldErrors });
    if (error.status === 401) this.#requireSignIn();
  }

  async #readListing(): Promise<void> {
    const { client, signal, store } = this.context;
    const path = `/listings/${chosenListing(store.state)?.id}`;
    const present = await client.get<Listing>(path, {}, { open: true, signal }).catch(() => null);
    if (present) store.update(withListing(store.state, present));
  }

  /** Shows the present terms of what is chosen, and asks again: nothing has been booked by those that were shown. */
  #termsChanged(error: ApiError): void {
    const { store } = this.context;
    const shown = JSON.stringify(shownTerms(store.state));
    store.update({ ...withTerms(store.state, error.presentTerms ?? {}), submission: { kind: "refused", error }, fieldErrors: {} });
    const isOther = JSON.stringify(shownTerms(store.state)) !== shown;
    if (isOther && store.state.hold.kind !== "held") void this.#hold.take();
  }

  /** The chosen time is lost: back to the other times, the form's words are kept. */
  #lose(error: ApiError): void {
    const { store } = this.context;
    const { slot, calendar } = store.state;
    if (!slot) return;
    this.#hold.forget();
    this.#submitter.forget();
    const slots = calendar.slots.filter((each) => each.startTime !== slot.startTime);
    store.update({
      slot: null,
      lost: { slot, error },
      submission: { kind: "none" },
      calendar: { ...calendar, slots },
    });
    void this.reloadSlots();
  }

  #requireSignIn(): void {
    this.context.store.update({ needsSignIn: true });
    this.signIn();
  }

  async #choosePayment(key: string | null): Promise<void> {
    await this.context.course?.proposePayment(this.context, key, this.context.signal);
    this.#submitter.save();
  }

  // --- Across reloads ---

  async #restore(saved: Saved): Promise<void> {
    const { client, store } = this.context;
    const { slot, form, request, slotMentorId, userId } = saved;
    if (userId) {
      await client.tokens.get().catch(() => null);
      if (this.context.signal.aborted) return;
      const { subject } = client.tokens;
      // Another person neither sees nor sends it.
      if (subject && subject !== userId) this.#saved.clear();
      // Or another time was chosen meanwhile.
      if (subject !== userId || store.state.slot) return;
    }
    const isGone = saved.listingId !== (store.state.listing?.id ?? null);
    const isPast = startOf(slot) <= Date.now();
    if (saved.bookingId && !isPast && client.tokens.canSignIn) return void this.#submitter.follow(saved.bookingId);
    const isOver = (isGone || isPast || saved.bookingId) && !request;
    if (!client.tokens.canSignIn || isOver || saved.durationMinutes !== store.state.durationMinutes) {
      return this.#saved.clear();
    }
    store.update({ slot, form, slotMentorId });
    if (request && (await this.#submitter.resume(request))) {
      const { submission } = store.state;
      // No other listing takes the place of the one that was chosen.
      if (isGone && submission.kind === "refused") return this.#lose(submission.error);
      return submission.kind === "none" || submission.kind === "refused" ? this.#choosePayment(saved.payment) : undefined;
    }
    if (startOf(slot) <= Date.now()) return this.leaveForm();
    await Promise.all([this.#choosePayment(saved.payment), this.#hold.take()]);
  }

  #resume(): void {
    if (document.hidden) return;
    this.#hold.check();
    // Where the part that follows it could not be loaded.
    if (!this.following && isAwaited(this.context.store.state.submission)) void this.#submitter.follow();
    this.#refreshIfStale();
  }

  #refreshIfStale(): void {
    const { calendar, phase } = this.context.store.state;
    const isStale = this.context.realtime === null && Date.now() - this.#slots.readAt > STALE_MS;
    if (phase === "ready" && (isStale || calendar.error)) void this.reloadSlots();
  }

  #failLoading(error: unknown): void {
    this.#isShown();
    if (this.context.signal.aborted) return;
    // Any other failure is one of the import.
    const failure = error instanceof ApiError ? error : ApiError.ofPart();
    this.#submitter.report(failure, "load");
    this.context.store.update({ phase: failure.status === 401 ? "signed-out" : "failed", error: failure });
  }
}
