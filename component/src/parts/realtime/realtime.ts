/** Entry of the lazy part "realtime": follows mentors and sessions, shows the connection, keeps a booking that waits. */

import { html, nothing } from "lit";
import { Client, delay } from "../../api/client.js";
import type { ApiError } from "../../api/errors.js";
import type { Booked, Session, Slot } from "../../api/types.js";
import { isAwaited, type BookingState } from "../../booking/state.js";
import type { Saved } from "../../booking/saved.js";
import { startOf } from "../../booking/calendar/slots.js";
import { formatSpan, formatTime } from "../../i18n/time.js";
import type { PartContext, RealtimePart, Rendered } from "../../booking/contracts.js";
import { Store, renderOn } from "../../core/store.js";
import { whenShown } from "../../core/work.js";
import type { StreamHealth } from "../../core/telemetry.js";
import { plural } from "../../i18n/plural.js";
import { adoptStyles, signInMessage } from "../../ui/view.js";
import { followMentor, followSessions, type Subscription, type MentorChange } from "./hub.js";
import { LiveCalendar } from "./live-calendar.js";
import { LiveGroups } from "./live-groups.js";
import { BookingQueue } from "./queue.js";
import { LastSeen } from "./seen.js";
import { recordsOf } from "./storage.js";
import type { StreamState } from "./stream.js";
import { liveStyles } from "./styles.js";
import { liveWords, type LiveWords } from "./words.js";
import { formatMoment, renderConnection, renderMark, renderNotice, renderQueued, type Connection } from "./view.js";

/** A person may have five streams open, in all tabs: of a course with more mentors, the rest is read now and then. */
const MAX_MENTORS = 3;
const POLL_MS = 60_000;
const CONFIG_RETRY_MS = 5_000;
/** A connection that comes back sooner is not worth a word. */
const QUIET_LOSS_MS = 2_500;

interface LiveState {
  connection: Connection;
  notice: string | null;
}

export class Realtime implements RealtimePart {
  readonly #store = new Store<LiveState>({ connection: "connecting", notice: null });
  readonly #calendar: LiveCalendar;
  readonly #groups: LiveGroups;
  readonly #queue: BookingQueue;
  readonly #seen: LastSeen;
  readonly #mentors = new Map<string, Subscription>();
  /** Requests that were made here, and that the mentor may accept while the page is open. */
  readonly #requested = new Map<string, Booked>();
  #streams: Client | null = null;
  #sessions: Subscription | null = null;
  #lostTimer: ReturnType<typeof setTimeout> | undefined;
  #liveAt: number | null = null;

  constructor(private readonly context: PartContext) {
    const { element, signal, store, telemetry } = context;
    this.#calendar = new LiveCalendar(context);
    this.#groups = new LiveGroups(context);
    this.#calendar.onTaken = (slots) => this.#announceTaken(slots);
    this.#queue = new BookingQueue(context, recordsOf("queue"));
    this.#queue.onExpired = ({ saved }) => this.#notify(this.#words.notSent(this.#spanOf(saved.slot)));
    this.#seen = new LastSeen(context, recordsOf("seen"), () => this.#asOf ?? Date.now());
    renderOn(element, signal, this.#store, this.#queue.store);
    adoptStyles(element, signal, liveStyles);
    store.subscribe((state, previous) => this.#follow(state, previous), signal);
    for (const name of ["online", "offline"]) {
      addEventListener(name, () => this.#connectionChanged(), { signal });
    }
    addEventListener("online", () => void this.#queue.send(), { signal });
    // Another tab may have been closed with a booking that waits.
    whenShown(signal, () => this.#queue.adopt());
    const poll = setInterval(() => this.#readNowAndThen(), POLL_MS);
    signal.addEventListener("abort", () => this.#end(poll));
    telemetry.stream = () => this.#health();
    void this.#queue.adopt();
    void this.#connect();
  }

  get followsSessions(): boolean {
    return this.#sessions?.state === "live";
  }

  renderConnection(): Rendered {
    const { connection, notice } = this.#store.state;
    const { options, store } = this.context;
    const shown = notice ? renderNotice(this.#words, notice, () => this.#store.update({ notice: null })) : nothing;
    if (!options.showConnectionStatus) return shown;
    const asOf = this.#asOf === null || options.sessionId ? null : formatMoment(this.#asOf, options.locale, store.state.zone);
    return html`${renderConnection(this.#words, connection, asOf)}${shown}`;
  }

  renderSlotMark(slot: Slot): Rendered {
    return renderMark(this.#words, this.#calendar.markOf(slot));
  }

  isTaken(slot: Slot): boolean {
    return this.#calendar.markOf(slot) === "taken";
  }

  queue(booking: Saved, error: ApiError, wasSent: boolean): boolean {
    return this.#queue.add(booking, error, wasSent);
  }

  renderQueued(): Rendered {
    const { store: queue } = this.#queue;
    const { booking } = queue.state;
    if (!booking) return nothing;
    const { flow, options, store, words } = this.context;
    const since = formatMoment(booking.queuedAt, options.locale, store.state.zone);
    const signIn = signInMessage({ words, signInUrl: options.signInUrl, flow }, this.#words.signIn);
    return renderQueued(this.#words, queue.state, since, signIn, {
      withdraw: () => this.#queue.withdraw(),
      send: () => void this.#queue.send(true),
    });
  }

  #end(poll: ReturnType<typeof setInterval>): void {
    for (const following of [...this.#mentors.values(), this.#sessions]) following?.end();
    clearInterval(poll);
    clearTimeout(this.#lostTimer);
  }

  get #words(): LiveWords {
    const { options, words } = this.context;
    return liveWords({ locale: options.locale, words });
  }

  /** When the free times that are shown were right. */
  get #asOf(): number | null {
    if (this.#seen.asOf !== null) return this.#seen.asOf;
    const latest = Math.max(this.#liveAt ?? 0, this.#calendar.readAt);
    return latest || null;
  }

  // --- Streams ---

  async #connect(): Promise<void> {
    const { client, options, signal } = this.context;
    while (!signal.aborted && !this.#streams) {
      try {
        const url = options.streamsUrl ?? (await streamsUrlOf(client.base)) ?? client.base;
        this.#streams = new Client(url.replace(/\/+$/, ""), client.tokens);
      } catch {
        this.#enter(navigator.onLine ? "reconnecting" : "offline");
        await delay(CONFIG_RETRY_MS, signal, true).catch(() => undefined);
      }
    }
    if (signal.aborted || !this.#streams) return;
    this.#followSessions();
    this.#followMentors(this.context.store.state);
  }

  /** A person has few streams: this one is open while a session is shown, or a booking waits for one. */
  #followSessions(): void {
    const { client, options, store } = this.context;
    const hasWaiting = this.#requested.size > 0 || isAwaited(store.state.submission);
    const isWanted = client.tokens.canSignIn && (options.sessionId !== null || hasWaiting);
    if (!isWanted) {
      this.#sessions?.end();
      this.#sessions = null;
    } else if (this.#streams) {
      this.#sessions ??= followSessions(this.#streams, {
        onChange: (session) => this.#sessionChanged(session),
        onState: () => this.#connectionChanged(),
      });
    }
  }

  #followMentors({ phase, offers, mentorId }: Readonly<BookingState>): void {
    const streams = this.#streams;
    if (!streams || phase !== "ready") return;
    const all = mentorId ? [mentorId] : offers.map(({ mentor }) => mentor.id);
    const wanted = new Set(all.slice(0, MAX_MENTORS));
    for (const [id, following] of this.#mentors) {
      if (wanted.has(id)) continue;
      following.end();
      this.#mentors.delete(id);
    }
    for (const id of wanted) {
      if (this.#mentors.has(id)) continue;
      const following = followMentor(streams, id, {
        onChange: (change) => this.#changed(id, change),
        onState: () => this.#connectionChanged(),
      });
      this.#mentors.set(id, following);
    }
    this.#connectionChanged();
  }

  #changed(mentorId: string, change: MentorChange): void {
    if (change.kind === "seats") return this.#groups.take(change);
    // A snapshot has no seats: they may have moved before it.
    if (change.kind === "snapshot") this.#groups.readAgain();
    if (change.kind === "free") this.#groups.freed(mentorId, change);
    this.#calendar.take(mentorId, change);
  }

  #follow(state: Readonly<BookingState>, previous: Readonly<BookingState>): void {
    const isOther = state.phase !== previous.phase || state.offers !== previous.offers;
    if (isOther || state.mentorId !== previous.mentorId) this.#followMentors(state);
    if (state.submission !== previous.submission) this.#submissionChanged(state);
    // A person has signed in.
    if (previous.needsSignIn && !state.needsSignIn) this.#sessions?.retryNow();
  }

  #submissionChanged({ submission }: Readonly<BookingState>): void {
    if (submission.kind === "requested") {
      const { booking, series } = submission;
      this.#requested.set(booking.id, { booking, session: null, ...(series && { series }) });
    }
    if (submission.kind === "closed") this.#requested.delete(submission.booking.id);
    this.#followSessions();
  }

  #sessionChanged(session: Session): void {
    const { emit, enhanced, flow, store } = this.context;
    const { submission } = store.state;
    const requested = this.#requested.get(session.bookingId);
    this.#requested.delete(session.bookingId);
    const isShown = "booking" in submission && submission.booking.id === session.bookingId;
    flow.sessionChanged(session);
    enhanced?.sessionChanged(session);
    this.#followSessions();
    if (requested && !isShown) {
      // The page shows something else by now.
      emit("booked", { ...requested, booking: { ...requested.booking, status: "accepted", sessionId: session.id }, session });
      this.#notify(this.#words.accepted(this.#spanOf(session)));
    }
    // Of a person who is booked elsewhere, the same time of other mentors is not offered.
    if (this.#mentors.size && !this.#mentors.has(session.mentorProfileId)) {
      const { calendar } = store.state;
      const [start, end] = [Date.parse(session.startTime), Date.parse(session.endTime)];
      const earliest = start - store.state.durationMinutes * 60_000;
      if (earliest < calendar.to && end > calendar.from) this.#calendar.readAgain({ start: earliest, end });
    }
  }

  // --- The connection ---

  #connectionChanged(): void {
    const streams = this.#mentors.size ? [...this.#mentors.values()] : this.#sessions ? [this.#sessions] : [];
    const states = streams.map((each) => each.state);
    const was = this.#store.state.connection;
    if (was === "live") this.#liveAt = Date.now();
    const now = connectionOf(states, navigator.onLine);
    clearTimeout(this.#lostTimer);
    if (was === "live" && now === "reconnecting") {
      this.#lostTimer = setTimeout(() => this.#enter(now), QUIET_LOSS_MS);
    } else this.#enter(now);
    if (now === "live") this.#cameBack(was);
  }

  #enter(connection: Connection): void {
    if (!this.context.signal.aborted) this.#store.update({ connection });
  }

  #cameBack(was: Connection): void {
    if (was !== "live") {
      void this.#queue.send();
      void this.#queue.adopt();
    }
    if (this.context.store.state.calendar.error) this.#calendar.readAgain();
    if (this.#seen.asOf === null) return;
    // Slots of an earlier visit give way to present ones.
    this.#seen.asOf = null;
    const { slot, submission } = this.context.store.state;
    if (!slot && submission.kind === "none") void this.context.flow.load();
    else this.#calendar.readAgain();
  }

  /** Reads slots that no stream follows, and in any case takes over bookings that other tabs have left. */
  #readNowAndThen(): void {
    void this.#queue.adopt();
    const { phase, offers, mentorId } = this.context.store.state;
    const isWhole = this.#store.state.connection === "live" && (mentorId !== null || offers.length <= MAX_MENTORS);
    if (phase !== "ready" || isWhole || document.hidden || !navigator.onLine) return;
    this.#calendar.readAgain();
    this.#groups.readAgain();
  }

  #health(): StreamHealth {
    const all = [...this.#mentors.values(), ...(this.#sessions ? [this.#sessions] : [])].map((each) => each.health);
    const [first] = all;
    return first ?? { connectedSeconds: 0, disconnectedSeconds: 0, reconnections: 0 };
  }

  // --- Words ---

  #announceTaken(slots: readonly Slot[]): void {
    const { announce, options, store, words } = this.context;
    const [slot] = slots;
    if (!slot) return;
    const time = formatTime(startOf(slot), options.locale, store.state.zone);
    const many = plural(words.code, slots.length, this.#words.manyTaken);
    announce(slots.length === 1 ? this.#words.oneTaken(time) : many);
  }

  #notify(notice: string): void {
    this.#store.update({ notice });
  }

  #spanOf({ startTime, endTime }: Pick<Slot, "startTime" | "endTime">): string {
    const { options, store } = this.context;
    return formatSpan(Date.parse(startTime), Date.parse(endTime), options.locale, store.state.zone);
  }
}

/** The state of the worst of several streams. */
function connectionOf(states: readonly StreamState[], isOnline: boolean): Connection {
  if (states.some((state) => state === "offline") || (!isOnline && !states.every((state) => state === "live"))) return "offline";
  if (states.some((state) => state === "reconnecting" || state === "paused")) return "reconnecting";
  if (states.some((state) => state === "refused" || state === "signed-out")) return "not-live";
  return states.length && states.every((state) => state === "live") ? "live" : "connecting";
}

/** Where an installation has its live updates; null: with the API. The browser keeps the answer for some minutes. */
async function streamsUrlOf(base: string): Promise<string | null> {
  const answer = await fetch(`${base}/component/config.json`, { credentials: "omit" });
  return ((await answer.json()) as { streamsUrl: string | null }).streamsUrl;
}
