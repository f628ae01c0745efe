import { LitElement, html, nothing, unsafeCSS, type PropertyDeclaration, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { delay } from "../api/client.js";
import type { TokenProvider } from "../api/token.js";
import type { Payment, Session } from "../api/types.js";
import { initialState, isSubmitting, screenOf, type BookingState, type FieldErrors, type Screen } from "../booking/state.js";
import { renderCalendar, renderSkeleton } from "../booking/calendar/view.js";
import { renderCard } from "../booking/card.js";
import type { SessionBookingEvents } from "../core/events.js";
import { variantOf, type SessionActions, type Variant } from "../core/page.js";
import type { Options, Rendered, View } from "../booking/contracts.js";
import { Run } from "./run.js";
import styles from "../ui/styles.css?inline";
import { en, localeOf, rootsOf, type Words } from "../i18n/language.js";
import type { OwnWords } from "../public/words.js";
import { clock, failureToRetry, focusedData, linkTo, message, signInMessage } from "../ui/view.js";

/** An attribute that may be left out (undefined), given (true), or "false". */
const optionalFlag = {
  fromAttribute: (value: string | null): boolean | undefined => (value === null ? undefined : value !== "false"),
};

/** A pointer that is held for longer does not press a button. */
const LONGEST_PRESS_MS = 5_000;
/** A click comes so soon after the end of its press. */
const CLICK_AFTER_MS = 50;
/** The state before a run, and between two. */
const NO_STATE = initialState("UTC", "1970-01-01");
/** Attributes of which a change restarts the element. */
const SOURCES = [
  "variant", "mentor", "listing", "course", "session", "existingSessionId", "api", "tokenUrl", "publishableKey", "timeZone",
];
const FLAGS = ["showAvailabilityStatus", "showConnectionStatus", "enableOptimisticUpdates", "showSessionActions"];
const RESTARTING = [...SOURCES, "words"] as (keyof SessionBooking)[];

/** Declarations of properties: an attribute is the property's name in kebab case. */
function declare(names: string[], options: PropertyDeclaration = {}): PropertyDeclarations {
  const attributeOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return Object.fromEntries(names.map((name) => [name, { attribute: attributeOf(name), ...options }]));
}

/**
 * Books a session with a mentor, or of a course, and runs it.
 *
 * @element session-booking
 *
 * @fires {CustomEvent<Booked>} booked - A session exists: booked at once, or a request that was accepted meanwhile.
 * @fires {CustomEvent<Booked>} requested - A request was sent to the mentor, who decides.
 * @fires {CustomEvent<Booked>} unpaid - A booking or a seat awaits its payment.
 * @fires {CustomEvent<{session: Session}>} rescheduled - The session was moved to another time.
 * @fires {CustomEvent<{session: Session}>} started - The session was started.
 * @fires {CustomEvent<{session: Session}>} completed - The session was completed.
 * @fires {CustomEvent<{session: Session}>} cancelled - The session was cancelled.
 * @fires {CustomEvent<{error: ApiError, during: string}>} failed - Something could not be done; the reason is shown.
 * @fires {CustomEvent<{}>} signin - No one is signed in, and a person wants to book; again with each press of the button to sign in.
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
 * @csspart root - All that is shown: the frame around it.
 * @csspart session - The view of a session.
 * @csspart status - The status of a session.
 * @csspart proposal - A proposal to move a session.
 * @csspart history - What has happened to a session.
 * @csspart dialog - The dialogs of a session: complete, cancel, report a no-show, review, answer.
 * @csspart availability - The next free time, in the coach card.
 * @csspart connection - The state of the live connection.
 * @csspart refused - The times that cannot be booked, with the reasons.
 * @csspart groups - Group sessions, with their places and waiting lists.
 * @csspart series - The fields of a series, and what became of it.
 *
 * @cssprop --tutelage-accent - Colour of the main button and what is chosen.
 * @cssprop --tutelage-on-accent - Text on the accent colour.
 * @cssprop --tutelage-text - Text.
 * @cssprop --tutelage-muted - Secondary text.
 * @cssprop --tutelage-surface - Background.
 * @cssprop --tutelage-raised - Background of cards and fields.
 * @cssprop --tutelage-line - Borders.
 * @cssprop --tutelage-control - Borders of fields and buttons.
 * @cssprop --tutelage-danger - Failures.
 * @cssprop --tutelage-success - Success.
 * @cssprop --tutelage-warning - Warnings.
 * @cssprop --tutelage-radius - Radius of corners.
 * @cssprop --tutelage-gap - Space between blocks.
 * @cssprop --tutelage-font - Font family.
 */
export class SessionBooking extends LitElement {
  static override styles = unsafeCSS(styles);
  static override properties: PropertyDeclarations = {
    ...declare([...SOURCES, "sessionStatus", "signInUrl", "payUrl", "streamsUrl"]),
    // Reflected, since styles choose by it: React sets the property.
    ...declare(["theme"], { reflect: true }),
    ...declare(FLAGS, { converter: optionalFlag }),
    ...declare(["token", "sessionActions", "onSuccess", "onPay", "words"], { attribute: false }),
    ...declare(["announcement", "run"], { state: true, attribute: false }),
  };

  /** How much is shown: `basic` books; `enhanced` adds series, groups, reasons; `realtime` adds live updates. In any case; another name is `basic`. */
  variant: Variant = "basic";
  /** The id of the mentor profile to book; without it, or a listing or a course, people choose a mentor. */
  mentor?: string | null;
  /** The id of the only listing to offer; otherwise all active listings of the mentor. */
  listing?: string | null;
  /** The id of the course to book; with `mentor`, only that mentor's times. */
  course?: string | null;
  /** The id of a session to show instead of booking one. */
  session?: string | null;
  /** Another name of `session`. */
  existingSessionId?: string | null;
  /** The status of that session, shown until it is loaded. */
  sessionStatus?: string | null;
  /** A same-site endpoint of the page: `POST` answers `{token, expiresAt?}`. */
  tokenUrl?: string | null;
  /** A token, or a function that gets one; wins over `tokenUrl`. Kept in memory only. */
  token?: TokenProvider | null;
  /** A key that reads mentors, listings and slots without anyone signed in. */
  publishableKey?: string | null;
  /** Where people sign in: a link where no one is signed in; without it, a button that dispatches `signin`. */
  signInUrl?: string | null;
  /** The site's payment page, which gets the payment's id as `payment`; without it, the checkout of the API's payment provider. */
  payUrl?: string | null;
  /** The API's address; by default, where the script came from. */
  api?: string | null;
  /** The address of the live updates, where it is another one than the API's. */
  streamsUrl?: string | null;
  /** The IANA zone in which times are first shown; by default the browser's. */
  timeZone?: string | null;
  /** Whether the card shows if the mentor can be booked; in any variant, by default in `enhanced` and `realtime`. */
  showAvailabilityStatus?: boolean;
  /** Whether the state of the live connection is shown, which any variant has then; by default in `realtime`. */
  showConnectionStatus?: boolean;
  /** Whether a booking is shown as made while it is being sent, and taken back if refused; in any variant, by default in `realtime`. */
  enableOptimisticUpdates?: boolean;
  /** Whether a session can be joined, started, completed and cancelled here; by default yes. */
  showSessionActions?: boolean;
  /** The page's own actions instead of the component's calls: `{onStart, onComplete, onCancel}`. */
  sessionActions?: SessionActions | null;
  /** Called when the session exists, also for a request that is accepted later while the page is open. */
  onSuccess?: ((session: Session) => void) | null;
  /** Opens the payment page for a booking or seat that awaits its payment; wins over `payUrl`. The component looks again when the promise is resolved. */
  onPay?: ((payment: Payment) => unknown) | null;
  /** `light`, `dark`, or `auto` for what the system prefers; by default the page's own `color-scheme`. */
  theme?: "light" | "dark" | "auto" | null;
  /** Words of the page that replace the component's own, also for other languages. */
  words?: OwnWords | null;

  private announcement = "";
  private run: Run | null = null;
  /** The start that waits for its run, or has it. */
  private started: object | null = null;
  /** The words of the last run, until the next one has its own. */
  private lastWords: Words = en;
  /** The mentor who was chosen here, where the page names none. */
  private chosenMentor: string | null = null;
  private clock: ReturnType<typeof setInterval> | undefined;
  private readonly languages = new MutationObserver(() => {
    if (this.run && this.run.options.locale !== localeOf(this)) void this.start();
  });
  private screen: Screen | "session" | "directory" = "loading";
  private hadFocus = false;
  /** What had the focus before the update, and all around it. */
  private focused: Element[] = [];
  /** Until the end of a press of a button. */
  private press: Promise<unknown> | null = null;
  private wasSending = false;
  private focusedStart: string | undefined;
  private shownErrors: FieldErrors = NO_STATE.fieldErrors;

  override connectedCallback(): void {
    super.connectedCallback();
    for (const root of rootsOf(this)) this.languages.observe(root, { subtree: true, attributeFilter: ["lang"] });
    void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.languages.disconnect();
    this.stop();
  }

  /** Restarts with the present attributes and properties: after a person has signed in or out. */
  reload(): void {
    void this.start();
  }

  // A button that moves, or gives way to another one, while it is pressed would lose its click: the page waits.
  protected override scheduleUpdate(): void | Promise<unknown> {
    return this.press ? this.press.then(() => super.scheduleUpdate()) : super.scheduleUpdate();
  }

  private async pressBegins({ target }: Event): Promise<void> {
    if (!(target as Element).closest("button, summary, a")) return;
    const over = new AbortController();
    const press = (this.press = delay(LONGEST_PRESS_MS, over.signal).catch(() => undefined));
    // A form is sent after the last listener of the click.
    for (const name of ["click", "pointerup", "pointercancel"]) {
      const end = (): unknown => setTimeout(() => over.abort(), name === "click" ? 0 : CLICK_AFTER_MS);
      addEventListener(name, end, { capture: true, signal: over.signal });
    }
    await press;
    over.abort();
    if (this.press === press) this.press = null;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (this.hasUpdated && RESTARTING.some((name) => changed.has(name))) void this.start();
    // A flag that is turned on later may need a part that is not there yet.
    else if (FLAGS.some((name) => changed.has(name as keyof SessionBooking))) void this.run?.loadParts();
    if (changed.has("token")) this.run?.renewToken();
    // A button that is disabled while it works has lost the focus to nothing, not to something else.
    const isNowhere = document.activeElement === document.body;
    this.focused = [];
    for (let at = this.shadowRoot?.activeElement ?? null; at; at = at.parentElement) this.focused.push(at);
    this.hadFocus = this.focused.length > 0 || (this.hadFocus && isNowhere);
    this.focusedStart = focusedData(this)["start"];
  }

  protected override render(): TemplateResult {
    const screen = this.currentScreen;
    // The tab stop of the month follows the focus.
    const focusMoved = (): void => this.requestUpdate();
    return html`<div class="root" part="root" lang=${this.text.code} @pointerdown=${this.pressBegins} @focusin=${focusMoved}>
      ${this.renderScreen(screen)}
      <div class="visually-hidden" aria-live="polite">${this.announcement}</div>
    </div>`;
  }

  protected override updated(): void {
    const { state } = this;
    // Once their options are there: an option that is selected does not stay so where options move.
    for (const select of this.renderRoot.querySelectorAll<HTMLSelectElement>("select[data-value]")) {
      select.value = select.dataset["value"] ?? "";
    }
    // What counts down is not read out each second.
    if (this.renderRoot.querySelector("[role='timer'], [aria-live='off']")) this.clock ??= setInterval(() => this.tick(), 1000);
    else {
      clearInterval(this.clock);
      this.clock = undefined;
    }
    const screen = this.currentScreen;
    // Loading is no view to go on in.
    const isOther = screen !== "loading" && screen !== this.screen && this.screen !== "loading";
    if (screen !== "loading") this.screen = screen;
    const focus = (selector: string): void => this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
    // The focus is gone with its view: people go on where the new one begins.
    if (isOther && this.hadFocus) focus("[data-focus]");
    else if (!this.shadowRoot?.activeElement && this.focused[0]?.isConnected === false) this.focusNear();
    // A form that was refused was disabled meanwhile, and nothing of it has the focus.
    const isSending = isSubmitting(state);
    if (this.wasSending && !isSending && this.hadFocus && !this.shadowRoot?.activeElement) focus("[type='submit']");
    this.wasSending = isSending;
    if (state.fieldErrors !== this.shownErrors) focus("[aria-invalid='true']");
    this.shownErrors = state.fieldErrors;
    // A button has another time by now, where one before it was taken.
    if (this.focusedStart !== focusedData(this)["start"]) focus(`[data-start="${this.focusedStart}"]`);
  }

  /** What had the focus is gone: people go on at the group or the heading of the nearest view around it that is still there. */
  private focusNear(): void {
    const view = this.focused.find((each) => each.isConnected && each.matches("[tabindex], :has([data-focus])"));
    const goal = view?.matches("[tabindex]") ? view : view?.querySelector("[data-focus]");
    (goal as HTMLElement | null | undefined)?.focus({ preventScroll: true });
  }

  private get state(): Readonly<BookingState> {
    return this.run?.store.state ?? NO_STATE;
  }

  private get text(): Words {
    return this.run?.words ?? this.lastWords;
  }

  private get currentScreen(): Screen | "session" | "directory" {
    const { run } = this;
    if (!run?.isReady) return "loading";
    const screen = screenOf(run.store.state);
    // The calendar stays until the part is there.
    if ((screen === "form" || screen === "result") && !run.form) return "loading";
    if (!run.isNamed && screen !== "failed") return "directory";
    return run.options.sessionId && screen !== "failed" ? "session" : screen;
  }

  private renderScreen(screen: Screen | "session" | "directory"): Rendered {
    const { run, state, text } = this;
    if (!run?.isReady) return renderLoading(text);
    const { course, directory, enhanced, flow, form, options, realtime } = run;
    const connection = realtime?.renderConnection() ?? nothing;
    if (screen === "session") {
      return html`${connection} ${enhanced?.renderSession(options.sessionId ?? "") ?? renderLoading(text)}`;
    }
    const { locale, signInUrl } = options;
    const focusedDay = focusedData(this)["day"];
    const view: View = { state, flow, words: text, locale, now: Date.now(), focusedDay, course, enhanced, realtime, signInUrl };
    // Nothing is loaded; or a part is not, and people can book without it.
    const renderError = (): Rendered => (state.error ? failureToRetry(view, state.error, () => this.reload()) : nothing);
    switch (screen) {
      case "failed":
        return renderError();
      case "signed-out":
        return signInMessage(view);
      case "directory":
        return directory?.render(view) ?? renderLoading(text);
      // The month is there before it is known who and when.
      case "loading":
      case "choose":
        return html`${directory?.renderBack(view) ?? nothing} ${renderCard(view, options.listingId)} ${connection}
        ${state.durationMinutes || screen === "loading" ? renderCalendar(view) : message("note", text.card.nothing)}
        ${enhanced?.renderGroups() ?? nothing}
        ${renderError()}`;
      case "form":
        return html`${renderCard(view, state.listing?.id ?? null)} ${connection} ${form?.renderForm(view)}`;
      default:
        return html`${connection} ${form?.renderResult(view)}`;
    }
  }

  private async start(): Promise<void> {
    this.stop();
    const started = (this.started = {});
    // Attributes that are set one after the other make one start.
    await Promise.resolve();
    if (started !== this.started) return;
    const { variant } = this;
    if (variant && !variantOf(variant)) console.warn(`<${this.localName}>: there is no variant "${variant}"; it is "basic".`);
    this.run = this.makeRun();
    await this.run.begin();
  }

  private stop(): void {
    this.started = null;
    this.lastWords = this.text;
    this.run?.end();
    this.run = null;
    clearInterval(this.clock);
    this.clock = undefined;
  }

  private makeRun(): Run {
    // The module's own address: the API serves it in a folder of its own.
    const base = (this.api ?? new URL(/* @vite-ignore */ "..", import.meta.url).href).replace(/\/+$/, "");
    const host = {
      element: this,
      base,
      tokens: this,
      ownWords: this.words ?? null,
      timeZone: this.timeZone ?? null,
      options: () => this.options,
      isChosenHere: this.chosenMentor !== null,
      chooseMentor: (id: string | null) => this.chooseMentor(id),
      reload: () => this.reload(),
      emit: this.emit.bind(this),
      announce: this.announce.bind(this),
    };
    return new Run(host, this.text);
  }

  private chooseMentor(id: string | null): void {
    this.chosenMentor = id;
    this.reload();
  }

  private tick(): void {
    const { hold } = this.state;
    const left = hold.kind === "held" ? hold.endsAt - Date.now() : 0;
    if (Math.ceil(left / 1000) === 60) this.announce(this.text.form.held(clock(left)));
    this.requestUpdate();
  }

  /** A sentence that is said again has to be another text: only changes are read out. */
  private announce(sentence: string): void {
    this.announcement = this.announcement === sentence ? `${sentence}\u00a0` : sentence;
  }

  private get options(): Options {
    const variant = variantOf(this.variant ?? "") ?? "basic";
    const isRealtime = variant === "realtime";
    return {
      variant,
      mentorId: this.mentor ?? this.chosenMentor,
      listingId: this.listing ?? null,
      courseId: this.course ?? null,
      sessionId: this.session ?? this.existingSessionId ?? null,
      sessionStatus: this.sessionStatus ?? null,
      showAvailabilityStatus: this.showAvailabilityStatus ?? variant !== "basic",
      showConnectionStatus: this.showConnectionStatus ?? isRealtime,
      showSessionActions: this.showSessionActions ?? true,
      optimistic: this.enableOptimisticUpdates ?? isRealtime,
      sessionActions: this.sessionActions ?? null,
      streamsUrl: this.streamsUrl ?? null,
      signInUrl: linkTo(this.signInUrl),
      payUrl: linkTo(this.payUrl),
      onPay: this.onPay ?? null,
      locale: localeOf(this),
    };
  }

  private emit<K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    if (name !== "booked") return;
    try {
      this.onSuccess?.((detail as SessionBookingEvents["booked"]).session);
    } catch (error) {
      // The page's own mistake, reported as one of its listeners: the session exists all the same.
      reportError(error);
    }
  }
}

function renderLoading(words: Words): TemplateResult {
  return html`<span class="avatar skeleton"></span> ${renderSkeleton(words.loading)}`;
}
