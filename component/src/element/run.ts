/** One start of the element: its store, signal, flow and parts are made together, and end together. */

import type { LitElement } from "lit";
import { Client, delay } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import { Tokens, type TokenOptions } from "../api/token.js";
import { BookingFlow } from "../booking/flow.js";
import { initialState, type BookingState } from "../booking/state.js";
import type { SessionBookingEvents } from "../core/events.js";
import { addMonths, dayOf, knownZone, localZone } from "../i18n/time.js";
import type { CoursePart, DirectoryPart, EnhancedPart, FormPart, LazyParts, Options, PartContext, RealtimePart } from "../booking/contracts.js";
import { Store, renderOn } from "../core/store.js";
import { Telemetry } from "../core/telemetry.js";
import { loadWords, type Words } from "../i18n/language.js";
import type { OwnWords } from "../public/words.js";

/** How long parts wait for the first free slots: they are not in the way of what people wait for. */
const PARTS_AFTER_MS = 3_000;
/** Nor is what is measured. */
const BEACON_AFTER_MS = 2_000;

/** The element, as a run needs it. */
export interface RunHost {
  readonly element: LitElement;
  /** The API's address, without a slash at the end. */
  readonly base: string;
  /** Has the present ones at each use. */
  readonly tokens: TokenOptions;
  /** The present ones; whom, what and in which language stays as it was when the run began. */
  readonly options: () => Options;
  readonly ownWords: OwnWords | null;
  readonly timeZone: string | null;
  /** Whether the mentor was chosen in the directory. */
  readonly isChosenHere: boolean;
  chooseMentor(id: string | null): void;
  reload(): void;
  emit: PartContext["emit"];
  announce: PartContext["announce"];
}

/** An answer that comes late changes a store that no one renders, asks the API nothing more, and dispatches no event. */
export class Run implements PartContext {
  readonly element: LitElement;
  readonly store = new Store<BookingState>(initialState("UTC", "1970-01-01"));
  readonly telemetry = new Telemetry();
  readonly client: Client;
  readonly flow: BookingFlow;
  form: FormPart | null = null;
  course: CoursePart | null = null;
  enhanced: EnhancedPart | null = null;
  realtime: RealtimePart | null = null;
  directory: DirectoryPart | null = null;
  /** Whether its words are there, and what was asked for first is on its way. */
  isReady = false;
  readonly lazy: LazyParts = {
    form: () => import("../parts/form/form.js"),
    course: () => import("../parts/course/course.js"),
    following: () => import("../parts/following/following.js"),
    moving: () => import("../parts/moving/moving.js"),
  };
  readonly #ended = new AbortController();
  readonly #subject: Pick<Options, "mentorId" | "listingId" | "courseId" | "sessionId" | "locale">;
  #wantsParts = false;

  /** @param words are shown until its own are there. */
  constructor(
    private readonly host: RunHost,
    public words: Words,
  ) {
    const { mentorId, listingId, courseId, sessionId, locale } = host.options();
    this.#subject = { mentorId, listingId, courseId, sessionId, locale };
    this.element = host.element;
    renderOn(this.element, this.signal, this.store);
    this.store.subscribe(({ slot }, before) => slot !== before.slot && void this.#loadForm(), this.signal);
    this.client = new Client(host.base, new Tokens(host.tokens, () => host.reload()), this.signal);
    this.flow = new BookingFlow(this);
    const again = (): void => {
      const { phase, error } = this.store.state;
      if (phase === "failed" && error?.isTemporary) host.reload();
    };
    addEventListener("online", again, { signal: this.signal });
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  get options(): Options {
    return { ...this.host.options(), ...this.#subject };
  }

  /** Whether there is something to show besides the mentors to choose from. */
  get isNamed(): boolean {
    const { mentorId, listingId, courseId, sessionId } = this.#subject;
    return Boolean(mentorId ?? listingId ?? courseId ?? sessionId);
  }

  readonly emit = <K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void => {
    if (!this.signal.aborted) this.host.emit(name, detail);
  };

  readonly announce = (sentence: string): void => {
    if (!this.signal.aborted) this.host.announce(sentence);
  };

  async begin(): Promise<void> {
    const { client, flow, host, signal, telemetry } = this;
    const { locale, sessionId } = this.#subject;
    const isBooking = this.isNamed && !sessionId;
    // First of all, what people wait for is asked for: even Intl takes long when it is first used.
    const zoned = delay(0).then(() => this.#setZone());
    if (isBooking) void flow.load(zoned);
    const [words] = await Promise.all([loadWords(locale, host.ownWords), zoned]);
    if (signal.aborted) return;
    this.words = words;
    this.isReady = true;
    this.element.requestUpdate();
    // After a choice in the directory, the modules are there already.
    if (isBooking && navigator.onLine && !host.isChosenHere) {
      const painted = flow.shown.then(() => new Promise(requestAnimationFrame));
      await Promise.race([painted, delay(PARTS_AFTER_MS)]);
    }
    if (signal.aborted) return;
    this.#wantsParts = true;
    await this.loadParts();
    await delay(BEACON_AFTER_MS, signal).catch(() => undefined);
    // Without a connection, nothing is measured.
    const beacon = await import("../core/beacon.js").catch(() => null);
    await beacon?.sendAtEnd(telemetry, client.base, this.options.variant, signal);
  }

  /** Loads the parts that are wanted by now; again for what is turned on later. */
  async loadParts(): Promise<void> {
    if (!this.#wantsParts) return;
    const { host, isNamed, signal, store } = this;
    const { variant, sessionId, showAvailabilityStatus, showConnectionStatus } = this.options;
    if (isNamed && !sessionId) void this.#loadForm();
    const isEnhanced = variant !== "basic" || showAvailabilityStatus || sessionId;
    const isRealtime = variant === "realtime" || showConnectionStatus;
    const load = <T>(part: Promise<T>): Promise<T | void> => part.catch(() => this.#lacksPart());
    const [enhanced, realtime, directory] = await Promise.all([
      isEnhanced ? load(import("./enhanced.js")) : null,
      isRealtime ? load(import("../parts/realtime/realtime.js")) : null,
      !isNamed || host.isChosenHere ? load(import("../parts/directory/directory.js")) : null,
    ]);
    if (signal.aborted) return;
    // People can book without some of them, but see no session, and no one to choose.
    if (sessionId ? !enhanced : !directory && !isNamed) store.update({ phase: "failed" });
    this.enhanced ??= enhanced?.attach(this) ?? null;
    this.realtime ??= realtime ? new realtime.Realtime(this) : null;
    this.directory ??= directory ? new directory.Directory(this, (id) => host.chooseMentor(id)) : null;
    this.element.requestUpdate();
  }

  /** Needed as soon as a time is chosen. */
  async #loadForm(): Promise<void> {
    this.form ??= await this.lazy.form().catch(() => (this.#lacksPart(), null));
    this.element.requestUpdate();
  }

  #lacksPart(): void {
    this.store.update({ error: ApiError.ofPart() });
  }

  /** The page has given another token: the same person goes on, and a view that lacks one restarts. */
  renewToken(): void {
    const { phase, needsSignIn } = this.store.state;
    const { tokens } = this.client;
    const isLacking = needsSignIn || phase === "failed" || phase === "signed-out" || tokens.isRefused;
    // The words in a dialog are kept nowhere else: the person sends them again.
    if (isLacking && !this.element.shadowRoot?.querySelector("dialog[open]")) this.host.reload();
    else tokens.renew();
  }

  end(): void {
    this.#ended.abort();
  }

  #setZone(): void {
    const zone = knownZone(this.host.timeZone) ?? localZone();
    this.store.update({ zone, month: addMonths(dayOf(Date.now(), zone), 0) });
  }
}
