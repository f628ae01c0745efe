/** Keeps the free slots right by what the streams bring; what they do not tell is read again, as little as possible. */

import { ApiError } from "../api/errors.js";
import type { Slot, Slots } from "../api/types.js";
import { startOf } from "../calendar/slots.js";
import type { BookingState } from "../booking/state.js";
import { addDays, startOfDay } from "../format/time.js";
import type { PartContext } from "../parts.js";
import { keyOf, type AvailabilityChange, type Interval } from "./hub.js";
import { SlotMarks, type Mark } from "./marks.js";
import { blockOf, firstAfter, startsWithin, TakenStarts, termsOf, type Terms } from "./taken.js";

/** What a mentor's stream has told. */
interface MentorTimes {
  busy: Map<string, Busy>;
  claims: Map<string, Interval>;
}

interface Busy extends Interval {
  /** Whether slots under it may be missing among those that were read, so that they are read when it ends. */
  hidesUnread: boolean;
  /** Whether slots were read under it: it may be a hold of this person, from another tab or an earlier visit. */
  isUnsure?: boolean;
}

interface BookingRules {
  maxPerDay: number | null;
  maxPerWeek: number | null;
}

/** Slots are read again soon, and not by all pages at once. */
const READ_AFTER_MS = 300;
const READ_SPREAD_MS = 1_200;
const READ_PAUSE_MS = 5_000;
const WEEK_MS = 7 * 86_400_000;
const MAX_SPAN_MS = 92 * 86_400_000;
/** How often starts are looked at that have become too soon. */
const CLOCK_MS = 30_000;
const ANNOUNCED_EVERY_MS = 5_000;
/** Slots that are older than this when a stream begins are read again. */
const STALE_MS = 5_000;

export class LiveCalendar {
  /** Called with the slots of the shown day that were just taken, at most every few seconds. */
  onTaken: (slots: Slot[]) => void = () => undefined;
  /** When the slots were last read, in milliseconds since the epoch. */
  readAt = 0;
  readonly #mentors = new Map<string, MentorTimes>();
  readonly #limited = new Map<string, Promise<boolean>>();
  readonly #marks: SlotMarks;
  /** Blocks that this component holds, books or has booked, by `mentor start-end`. */
  readonly #own = new Set<string>();
  readonly #ended = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #clock: ReturnType<typeof setInterval>;
  #changes: [mentorId: string, change: AvailabilityChange][] = [];
  /** The slots as they were read; those that are shown are among them. */
  #read: readonly Slot[];
  #starts: number[] = [];
  #shown: readonly Slot[];
  /** The busy times that were known when slots began to be read. */
  #known: ReadonlySet<Busy> = new Set();
  #isWriting = false;
  #isScheduled = false;
  #dirty: Interval | null = null;
  #readTimer: ReturnType<typeof setTimeout> | undefined;
  #lastRead = 0;
  #taken: Slot[] = [];
  #announcedAt = 0;

  constructor(
    private readonly context: PartContext,
    private readonly schedule: (work: () => void) => void = onNextFrame,
  ) {
    this.#marks = new SlotMarks(context.element, () => this.#later());
    this.#read = this.#shown = context.store.state.calendar.slots;
    this.#adopt(this.#read);
    if (this.#read.length) this.readAt = Date.now();
    this.#unsubscribe = context.store.subscribe((state, previous) => this.#follow(state, previous));
    this.#clock = setInterval(() => this.#later(), CLOCK_MS);
  }

  markOf(slot: Slot): Mark | null {
    return this.#marks.of(slot);
  }

  /** What a mentor's stream has brought; applied with the next frame. */
  take(mentorId: string, change: AvailabilityChange): void {
    this.#changes.push([mentorId, change]);
    this.#later();
  }

  forget(mentorId: string): void {
    this.#mentors.delete(mentorId);
  }

  /** Reads slots again: those from `start` to before `end`, or all. */
  readAgain(span: Interval = { start: 0, end: Infinity }): void {
    const dirty = this.#dirty ?? span;
    this.#dirty = { start: Math.min(dirty.start, span.start), end: Math.max(dirty.end, span.end) };
    const soonest = Math.max(READ_AFTER_MS, this.#lastRead + READ_PAUSE_MS - Date.now());
    this.#readTimer ??= setTimeout(() => void this.#readDirty(), soonest + Math.random() * READ_SPREAD_MS);
  }

  dispose(): void {
    this.#ended.abort();
    this.#unsubscribe();
    clearInterval(this.#clock);
    clearTimeout(this.#readTimer);
    this.#marks.dispose();
  }

  #later(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.schedule(() => {
      this.#isScheduled = false;
      if (!this.#ended.signal.aborted) this.#apply();
    });
  }

  /** What others have changed: slots that were read, and what this component is booking. */
  #follow(state: Readonly<BookingState>, previous: Readonly<BookingState>): void {
    if (this.#isWriting) return;
    if (state.calendar !== previous.calendar) {
      const { isLoading } = state.calendar;
      if (isLoading && !previous.calendar.isLoading) this.#known = this.#allBusy();
      const isRead = previous.calendar.isLoading && !isLoading && !state.calendar.error;
      if (isRead) this.readAt = Date.now();
      if (state.calendar.slots !== this.#shown) this.#adopt(state.calendar.slots, isRead);
    }
    const isOurs = state.hold !== previous.hold || state.submission !== previous.submission;
    if (isOurs) this.#noteOwn(state);
    if (isOurs || state.calendar !== previous.calendar || state.slot !== previous.slot) this.#later();
  }

  /** Takes over slots that were read, or taken away, by others. */
  #adopt(slots: readonly Slot[], isRead = false): void {
    const shown = this.#shown;
    if (isRead) {
      const before = new Set(shown);
      this.#compare(slots.filter((slot) => !before.has(slot)), this.#known);
    }
    const isAppended = slots.length >= shown.length && shown.length > 0 && shown.every((slot, at) => slot === slots[at]);
    const isReduced = !isAppended && slots.length > 0 && isSubset(slots, shown);
    if (isAppended) this.#keep([...this.#read, ...slots.slice(shown.length)]);
    else if (isReduced) {
      const [before, now] = [new Set(shown), new Set(slots)];
      this.#keep(this.#read.filter((slot) => now.has(slot) || !before.has(slot)));
    } else this.#keep(slots);
    this.#shown = slots;
    if (!isReduced) this.#mentors.forEach(({ busy }) => busy.forEach((each) => (each.hidesUnread = true)));
  }

  #keep(slots: readonly Slot[]): void {
    this.#read = slots;
    this.#starts = slots.map(startOf);
  }

  #apply(): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const [mentorId, change] of changes) this.#takeChange(mentorId, change);
    this.#show();
    this.#checkChosen();
  }

  #takeChange(mentorId: string, change: AvailabilityChange): void {
    const { state } = this.context.store;
    const times = this.#mentors.get(mentorId) ?? { busy: new Map<string, Busy>(), claims: new Map<string, Interval>() };
    this.#mentors.set(mentorId, times);
    const terms = termsOf(state, mentorId);
    switch (change.kind) {
      case "snapshot":
        times.busy = new Map(change.busy.map((each) => [keyOf(each), { ...each, hidesUnread: true }]));
        for (const each of terms ? times.busy.values() : []) {
          each.isUnsure = terms !== null && this.#hides(mentorId, each, terms);
          if (each.isUnsure && terms) this.readAgain(startsWithin(each, terms));
        }
        if (!change.isFirst || (this.readAt && Date.now() - this.readAt > STALE_MS)) this.readAgain();
        break;
      case "busy":
        void this.#heedLimits(mentorId, change);
        times.busy.set(keyOf(change), { ...change, hidesUnread: !terms || !this.#hides(mentorId, change, terms) });
        break;
      case "free": {
        void this.#heedLimits(mentorId, change);
        const found = times.busy.get(keyOf(change));
        times.busy.delete(keyOf(change));
        this.#own.delete(`${mentorId} ${keyOf(change)}`);
        if (terms && (found?.hidesUnread ?? true)) this.readAgain(startsWithin(change, terms));
        break;
      }
      case "hours":
        this.#limited.delete(mentorId);
        this.readAgain();
        break;
      case "claim":
        if (change.interval) times.claims.set(change.id, change.interval);
        else times.claims.delete(change.id);
    }
  }

  /** Where a mentor has so many sessions a day or a week, a booking changes what else is free. */
  async #heedLimits(mentorId: string, { start, end }: Interval): Promise<void> {
    const { client } = this.context;
    // Visitors may not read the rules; the API refuses what goes beyond them.
    if (!client.tokens.canSignIn) return;
    let limited = this.#limited.get(mentorId);
    if (!limited) {
      limited = client
        .get<BookingRules>(`/mentors/${mentorId}/booking-rules`, {}, { attempts: 1, signal: this.#ended.signal })
        .then((rules) => rules.maxPerDay !== null || rules.maxPerWeek !== null)
        .catch(() => false);
      this.#limited.set(mentorId, limited);
    }
    if (await limited) this.readAgain({ start: start - WEEK_MS, end: end + WEEK_MS });
  }

  /**
   * Looks at slots that were just read under busy times. Where a time was known before, the API offers it all the same:
   * only holds of this person do not count for it. A time that has come meanwhile is looked at again.
   */
  #compare(found: readonly Slot[], known: ReadonlySet<Busy>): void {
    const starts = found.map(startOf);
    for (const [mentorId, { busy }] of this.#mentors) {
      const terms = termsOf(this.context.store.state, mentorId);
      for (const [key, each] of terms ? busy : []) {
        const isOffered = hides(mentorId, startsWithin(each, terms as Terms), found, starts);
        if (!isOffered) continue;
        each.isUnsure = !known.has(each);
        if (each.isUnsure) this.readAgain(startsWithin(each, terms as Terms));
        else this.#own.add(`${mentorId} ${key}`);
      }
    }
  }

  #allBusy(): Set<Busy> {
    return new Set([...this.#mentors.values()].flatMap(({ busy }) => [...busy.values()]));
  }

  /** Whether a busy time is in the way of a slot that was read: then the slots were read before it. */
  #hides(mentorId: string, busy: Interval, terms: Terms): boolean {
    return hides(mentorId, startsWithin(busy, terms), this.#read, this.#starts);
  }

  /** Shows the slots that were read, without those that are taken. */
  #show(): void {
    const { store } = this.context;
    const now = Date.now();
    const blocked = new Map<string, { taken: TakenStarts; noticeMs: number }>();
    for (const { mentor } of store.state.offers) {
      const terms = termsOf(store.state, mentor.id);
      if (!terms) continue;
      const taken = new TakenStarts(this.#othersOf(mentor.id), terms);
      blocked.set(mentor.id, { taken, noticeMs: terms.noticeMs });
    }
    const isTooSoon = (mentorId: string, start: number): boolean => {
      const notice = blocked.get(mentorId)?.noticeMs ?? 0;
      // Only what has become too soon since it was read: the visitor's clock may be wrong.
      return start < now + notice && start >= this.readAt + notice;
    };
    const isFree = (mentorId: string, start: number): boolean =>
      !blocked.get(mentorId)?.taken.has(start) && !isTooSoon(mentorId, start);
    const seen = new Map(this.#shown.map((slot) => [slot.startTime, slot]));
    const visible = this.#isVisible();
    const marks = this.#marks;
    const slots: Slot[] = [];
    this.#read.forEach((slot, at) => {
      const start = this.#starts[at] as number;
      const free = slot.mentorProfileIds.filter((each) => isFree(each, start));
      const before = seen.get(slot.startTime);
      if (free.length) {
        if (!before && this.#shown.length && visible(start)) marks.set(slot, "freed");
        else marks.delete(slot, "taken");
        const isSame = before?.mentorProfileIds.length === free.length;
        slots.push(isSame ? before : free.length === slot.mentorProfileIds.length ? slot : { ...slot, mentorProfileIds: free });
      } else if (before && visible(start) && !slot.mentorProfileIds.every((each) => isTooSoon(each, start))) {
        if (marks.isOver(slot)) return marks.delete(slot, "taken");
        if (marks.of(slot) !== "taken") {
          marks.set(before, "taken");
          this.#taken.push(before);
        }
        slots.push(before);
      }
    });
    const isChanged = slots.length !== this.#shown.length || slots.some((slot, at) => slot !== this.#shown[at]);
    if (isChanged) {
      this.#shown = slots;
      this.#isWriting = true;
      store.update(({ calendar }) => ({ calendar: { ...calendar, slots } }));
      this.#isWriting = false;
    }
    this.#announce(now);
  }

  /** When a mentor is busy with others than this component. */
  #othersOf(mentorId: string): Interval[] {
    const times = this.#mentors.get(mentorId);
    if (!times) return [];
    const busy = [...times.busy].filter(([key, each]) => !each.isUnsure && !this.#own.has(`${mentorId} ${key}`));
    return [...busy.map(([, each]) => each), ...times.claims.values()];
  }

  /** Whether a start is on the day that people look at. */
  #isVisible(): (start: number) => boolean {
    const { slot, day, zone } = this.context.store.state;
    if (slot || !day) return () => false;
    const [first, last] = [startOfDay(day, zone), startOfDay(addDays(day, 1), zone)];
    return (start) => start >= first && start < last;
  }

  #announce(now: number): void {
    if (!this.#taken.length) return;
    const pause = this.#announcedAt + ANNOUNCED_EVERY_MS - now;
    if (pause > 0) {
      setTimeout(() => this.#later(), pause);
      return;
    }
    this.#announcedAt = now;
    this.onTaken(this.#taken.splice(0));
  }

  /** What this component holds or books is not taken by others. */
  #noteOwn({ slot, slotMentorId, hold, submission }: Readonly<BookingState>): void {
    const isOurs = hold.kind === "requesting" || hold.kind === "held" || submission.kind === "sending";
    const mentorId = slotMentorId ?? slot?.mentorProfileIds[0];
    const terms = mentorId && termsOf(this.context.store.state, mentorId);
    if (!slot || !terms) return;
    const key = `${mentorId} ${keyOf(blockOf(startOf(slot), terms))}`;
    if (isOurs) this.#own.add(key);
    else if (hold.kind === "unavailable") this.#own.delete(key);
  }

  /** The chosen time, where it is not held, may have been taken. */
  #checkChosen(): void {
    const { state } = this.context.store;
    const { slot, hold, submission } = state;
    const isUnsure = submission.kind === "none" || submission.kind === "refused";
    if (!slot || !isUnsure || hold.kind === "held" || hold.kind === "requesting") return;
    const mentorId = state.slotMentorId ?? slot.mentorProfileIds[0] ?? "";
    const terms = termsOf(state, mentorId);
    if (!terms) return;
    if (new TakenStarts(this.#othersOf(mentorId), terms).has(startOf(slot))) this.context.flow.slotLost(new ApiError(409, "slot_taken"));
  }

  /** Reads what may be wrong, and puts it in the place of what was there. */
  async #readDirty(): Promise<void> {
    const { client, store } = this.context;
    const { calendar } = store.state;
    const source = sourceOf(store.state);
    this.#readTimer = undefined;
    if (!this.#dirty || !source || !calendar.to) return;
    const start = Math.max(this.#dirty.start, Date.now());
    const end = Math.min(this.#dirty.end, calendar.to);
    this.#dirty = null;
    this.#lastRead = Date.now();
    const known = this.#allBusy();
    const found: Slot[] = [];
    try {
      for (let at = start; at < end; at += MAX_SPAN_MS) {
        const span = { from: isoOf(at), to: isoOf(Math.min(end, at + MAX_SPAN_MS)) };
        const options = { open: true, signal: this.#ended.signal };
        found.push(...(await client.get<Slots>(source.path, { ...source.query, ...span }, options)).items);
      }
    } catch (error) {
      if (!this.#ended.signal.aborted && ApiError.of(error).isTemporary) this.readAgain({ start, end });
      return;
    }
    if (JSON.stringify(sourceOf(store.state)) !== JSON.stringify(source)) return;
    this.readAt = Date.now();
    if (store.state.calendar.error) store.update({ calendar: { ...store.state.calendar, error: null } });
    const first = firstAfter(this.#starts, start - 1);
    const last = firstAfter(this.#starts, end - 1);
    this.#keep([...this.#read.slice(0, first), ...found, ...this.#read.slice(last)]);
    for (const [mentorId, { busy }] of this.#mentors) {
      const terms = termsOf(store.state, mentorId);
      for (const each of terms ? busy.values() : []) {
        const span = startsWithin(each, terms as Terms);
        if (span.start < end && span.end > start) Object.assign(each, { hidesUnread: true, isUnsure: false });
      }
    }
    this.#compare(found, known);
    this.#show();
    const { slot, hold } = store.state;
    const at = slot ? startOf(slot) : 0;
    const isGone = at >= start && at < end && !found.some((each) => startOf(each) === at);
    if (slot && isGone && hold.kind !== "requesting") this.context.flow.slotLost(new ApiError(409, "outside_hours"));
  }
}

function sourceOf(state: Readonly<BookingState>): { path: string; query: Record<string, string | number | null> } | null {
  const { course, durationMinutes, listing, offers } = state;
  if (course) return { path: `/courses/${course.id}/slots`, query: { durationMinutes } };
  const mentor = offers[0]?.mentor;
  return mentor ? { path: `/mentors/${mentor.id}/slots`, query: { durationMinutes, listingId: listing?.id ?? null } } : null;
}

function hides(mentorId: string, span: Interval, slots: readonly Slot[], starts: readonly number[]): boolean {
  for (let at = firstAfter(starts, span.start); at < starts.length && (starts[at] as number) < span.end; at++) {
    if (slots[at]?.mentorProfileIds.includes(mentorId)) return true;
  }
  return false;
}

function isSubset(some: readonly Slot[], all: readonly Slot[]): boolean {
  const known = new Set(all);
  return some.every((slot) => known.has(slot));
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}

/** Frames rest while a page is hidden, and timers do not. */
function onNextFrame(work: () => void): void {
  if (document.hidden) setTimeout(work, 250);
  else requestAnimationFrame(work);
}
