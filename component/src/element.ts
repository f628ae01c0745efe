import { LitElement, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { Client } from "./api/client.js";
import { Tokens, type TokenProvider } from "./api/token.js";
import type { Session } from "./api/types.js";
import { BookingFlow } from "./booking/flow.js";
import { initialState, screenOf, type BookingState } from "./booking/state.js";
import type { SessionBookingEvents } from "./events.js";
import { dayOf, isZone, localZone } from "./format/time.js";
import type { EnhancedPart, Options, PartContext, RealtimePart, SessionActions, Variant } from "./parts.js";
import { Store, StoreController } from "./state/store.js";
import { styles } from "./styles.js";
import { Telemetry } from "./telemetry.js";
import { en, loadWords, localeOf, type Words } from "./text/index.js";

/** An attribute that may be left out (undefined), given (true), or "false". */
const optionalFlag = {
  fromAttribute: (value: string | null): boolean | undefined => (value === null ? undefined : value !== "false"),
  toAttribute: (value: boolean | undefined): string | null => (value === undefined ? null : value ? "" : "false"),
};

/**
 * Books a session with a mentor, or of a course, and runs it.
 *
 * @element session-booking
 *
 * @fires {CustomEvent<Booked>} booked - A session exists: booked at once, or a request that was accepted meanwhile.
 * @fires {CustomEvent<Booked>} requested - A request was sent to the mentor, who decides.
 * @fires {CustomEvent<{session: Session}>} started - The session was started.
 * @fires {CustomEvent<{session: Session}>} completed - The session was completed.
 * @fires {CustomEvent<{session: Session}>} cancelled - The session was cancelled.
 * @fires {CustomEvent<{error: ApiError, during: string}>} failed - Something could not be done; the reason is shown.
 * @fires {CustomEvent<{}>} signin - Nobody is signed in, and a person wants to book.
 *
 * @csspart card - The coach card.
 * @csspart calendar - The month.
 * @csspart day - A day of the month.
 * @csspart slots - The free times of the chosen day.
 * @csspart slot - A free time.
 * @csspart form - The form.
 * @csspart summary - Price and terms of what is being booked.
 * @csspart button - Every button; the main one of a view is also `primary`.
 * @csspart primary - The main button of a view.
 * @csspart message - A message: a failure, a warning, a note.
 * @csspart result - What became of the booking.
 *
 * @cssprop --tutelage-accent - Colour of the main button and what is chosen.
 * @cssprop --tutelage-on-accent - Text on the accent colour.
 * @cssprop --tutelage-text - Text.
 * @cssprop --tutelage-muted - Secondary text.
 * @cssprop --tutelage-surface - Background.
 * @cssprop --tutelage-raised - Background of cards and fields.
 * @cssprop --tutelage-line - Borders.
 * @cssprop --tutelage-danger - Failures.
 * @cssprop --tutelage-success - Success.
 * @cssprop --tutelage-warning - Warnings.
 * @cssprop --tutelage-radius - Radius of corners.
 * @cssprop --tutelage-gap - Space between blocks.
 * @cssprop --tutelage-font - Font family.
 */
export class SessionBooking extends LitElement {
  static override styles = styles;

  /** How much is shown: `basic` books; `enhanced` adds sessions, series, reasons; `realtime` adds live updates. */
  @property() variant: Variant = "basic";
  /** The id of the mentor profile to book. */
  @property() mentor: string | null = null;
  /** The id of the only listing to offer; otherwise all active listings of the mentor. */
  @property() listing: string | null = null;
  /** The id of the course to book; with `mentor`, only that mentor's times. */
  @property() course: string | null = null;
  /** The id of a session to show instead of booking one. */
  @property() session: string | null = null;
  /** Another name of `session`. */
  @property({ attribute: "existing-session-id" }) existingSessionId: string | null = null;
  /** The status of that session, shown until it is loaded. */
  @property({ attribute: "session-status" }) sessionStatus: string | null = null;
  /** A same-site endpoint of the page: `POST` answers `{token, expiresAt?}`. */
  @property({ attribute: "token-url" }) tokenUrl: string | null = null;
  /** A token, or a function that gets one; wins over `tokenUrl`. Kept in memory only. */
  @property({ attribute: false }) token: TokenProvider | null = null;
  /** A key that reads mentors, listings and slots without anyone signed in. */
  @property({ attribute: "publishable-key" }) publishableKey: string | null = null;
  /** Where people sign in; shown as a link where nobody is signed in. */
  @property({ attribute: "sign-in-url" }) signInUrl: string | null = null;
  /** The API's address; by default, where the script came from. */
  @property() api: string | null = null;
  /** The address of the live updates, where it is another one than the API's. */
  @property({ attribute: "streams-url" }) streamsUrl: string | null = null;
  /** The IANA zone in which times are first shown; by default the browser's. */
  @property({ attribute: "time-zone" }) timeZone: string | null = null;
  /** Whether the card shows if the mentor can be booked; by default in `enhanced` and `realtime`. */
  @property({ attribute: "show-availability-status", converter: optionalFlag }) showAvailabilityStatus?: boolean;
  /** Whether the state of the connection is shown; by default in `realtime`. */
  @property({ attribute: "show-connection-status", converter: optionalFlag }) showConnectionStatus?: boolean;
  /** Whether a booking is shown as made while it is being sent, and taken back if refused; by default in `realtime`. */
  @property({ attribute: "enable-optimistic-updates", converter: optionalFlag }) enableOptimisticUpdates?: boolean;
  /** Whether a session can be joined, started, completed and cancelled here; by default yes. */
  @property({ attribute: "show-session-actions", converter: optionalFlag }) showSessionActions?: boolean;
  /** What the page does instead of the component's own calls: `{onStart, onComplete, onCancel}`. */
  @property({ attribute: false }) sessionActions: SessionActions | null = null;
  /** Called when the session exists, also for a request that is accepted later while the page is open. */
  @property({ attribute: false }) onSuccess: ((session: Session) => void) | null = null;
  /** Words of the page that replace the component's own, also for other languages. */
  @property({ attribute: false }) words: Partial<Words> | null = null;

  @state() private text: Words = en;
  private store = new Store<BookingState>(initialState("UTC", "1970-01-01"));
  private flow: BookingFlow | null = null;
  private enhanced: EnhancedPart | null = null;
  private realtime: RealtimePart | null = null;
  private started = new AbortController();

  constructor() {
    super();
    new StoreController(this, this.store);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const restarting = ["variant", "mentor", "listing", "course", "session", "existingSessionId", "api"] as const;
    if (this.hasUpdated && restarting.some((name) => changed.has(name))) void this.start();
  }

  protected override render(): TemplateResult {
    const { state } = this.store;
    return html`<div part="root">${screenOf(state) === "loading" ? this.text.loading : nothing}</div>`;
  }

  private async start(): Promise<void> {
    this.stop();
    const started = (this.started = new AbortController());
    // Attributes that are set one after the other make one start.
    await Promise.resolve();
    const words = await loadWords(localeOf(this));
    if (started.signal.aborted) return;
    this.text = { ...words, ...this.words };
    const zone = this.timeZone && isZone(this.timeZone) ? this.timeZone : localZone();
    this.store.update(initialState(zone, dayOf(Date.now(), zone)));
    const context = this.makeContext();
    this.flow = context.flow;
    void this.flow.load();
    await this.loadParts(context, started.signal);
  }

  private stop(): void {
    this.started.abort();
    this.flow?.dispose();
    this.enhanced?.dispose();
    this.realtime?.dispose();
    this.flow = this.enhanced = this.realtime = null;
  }

  private async loadParts(context: PartContext, signal: AbortSignal): Promise<void> {
    const { variant, sessionId } = context.options;
    if (variant === "realtime") {
      const { attach } = await import("./realtime/realtime.js");
      if (signal.aborted) return;
      this.realtime = attach(context);
    }
    if (variant !== "basic" || sessionId) {
      const { attach } = await import("./session/enhanced.js");
      if (signal.aborted) return;
      this.enhanced = attach(context);
    }
    this.requestUpdate();
  }

  private makeContext(): PartContext {
    const element = this;
    const base = (this.api ?? new URL(/* @vite-ignore */ "..", import.meta.url).href).replace(/\/+$/, "");
    const client = new Client(
      base,
      new Tokens({ token: this.token, tokenUrl: this.tokenUrl, publishableKey: this.publishableKey }),
    );
    const telemetry = new Telemetry(base, this.variant);
    const shared = {
      element,
      client,
      store: this.store,
      telemetry,
      options: this.options,
      get words() {
        return element.text;
      },
      get enhanced() {
        return element.enhanced;
      },
      get realtime() {
        return element.realtime;
      },
      emit: element.emit.bind(element),
      announce: () => undefined,
    };
    return Object.defineProperties({ flow: new BookingFlow(shared) }, Object.getOwnPropertyDescriptors(shared)) as PartContext;
  }

  private get options(): Options {
    const element = this;
    return {
      get variant() {
        return element.variant;
      },
      get mentorId() {
        return element.mentor;
      },
      get listingId() {
        return element.listing;
      },
      get courseId() {
        return element.course;
      },
      get sessionId() {
        return element.session ?? element.existingSessionId;
      },
      get sessionStatus() {
        return element.sessionStatus;
      },
      get showAvailabilityStatus() {
        return element.showAvailabilityStatus ?? element.variant !== "basic";
      },
      get showConnectionStatus() {
        return element.showConnectionStatus ?? element.variant === "realtime";
      },
      get showSessionActions() {
        return element.showSessionActions ?? true;
      },
      get optimistic() {
        return element.enableOptimisticUpdates ?? element.variant === "realtime";
      },
      get sessionActions() {
        return element.sessionActions;
      },
      get streamsUrl() {
        return element.streamsUrl;
      },
      get locale() {
        return localeOf(element);
      },
    };
  }

  private emit<K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
