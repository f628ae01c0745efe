/** Keeps the free slots right by what the streams bring; what they do not tell is read again, as little as possible. */

import { ApiError } from "../../api/errors.js";
import type { Slot } from "../../api/types.js";
import { startOf } from "../../booking/calendar/slots.js";
import type { BookingState } from "../../booking/state.js";
import { addDays, startOfDay } from "../../i18n/time.js";
import type { PartContext } from "../../booking/contracts.js";
import { keyOf, type AvailabilityChange, type Interval } from "./hub.js";
import { MentorLimits } from "./limits.js";
import { SlotMarks, type Mark } from "./marks.js";
import { SlotReads } from "./slot-reads.js";
import { blockOf, startsWithin, TakenStarts, termsOf } from "./taken.js";

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;
/** How often starts are looked at that have become too soon. */
const CLOCK_MS = 30_000;
const ANNOUNCED_EVERY_MS = 5_000;
/** Slots that are older than this when a stream begins are read again. */
const STALE_MS = 5_000;

/** A time that was taken since the slots under it were read. */
interface Busy extends Interval {
  mentorId: string;
  /** When it came, in milliseconds since the epoch. */
  at: number;
  /** Whether slots under it may be missing among those that were read, so that they are read when it ends. */
  hidesUnread: boolean;
}

export class LiveCalendar {
  /** Called with the slots of the shown day that were just taken, at most every few seconds. */
  onTaken: (slots: Slot[]) => void = () => undefined;
  /** When the slots were last read, in milliseconds since the epoch. */
  readAt = 0;
  readonly #limits: MentorLimits;
  readonly #reads: SlotReads;
  readonly #marks: SlotMarks;
  /** By mentor and time. */
  readonly #busy = new Map<string, Busy>();
  /** Blocks that this component holds, books or has booked, by mentor and time. */
  readonly #own = new Set<string>();
  #changes: [mentorId: string, change: AvailabilityChange][] = [];
  /** The slots as they were read; those that are shown are among them. */
  #read: readonly Slot[];
  #shown: readonly Slot[];
  /** When the booking's own reading began. */
  #begunAt = 0;
  #isWriting = false;
  #isScheduled = false;
  #taken: Slot[] = [];
  #announcedAt = 0;

  constructor(
    private readonly context: PartContext,
    private readonly schedule: (work: () => void) => void = onNextFrame,
  ) {
    const { element, signal, store } = context;
    this.#limits = new MentorLimits(context.client, signal);
    this.#reads = new SlotReads(context, (found, span, begunAt) => this.#takeRead(found, span, begunAt));
    this.#marks = new SlotMarks(element, () => this.#later(), signal);
    this.#read = this.#shown = store.state.calendar.slots;
    if (this.#read.length) this.readAt = store.state.calendar.from;
    store.subscribe((state, previous) => this.#follow(state, previous), signal);
    const clock = setInterval(() => this.#later(), CLOCK_MS);
    signal.addEventListener("abort", () => clearInterval(clock));
  }

  markOf(slot: Slot): Mark | null {
    return this.#marks.of(slot);
  }

  /** A change from a mentor's stream, applied with the next frame. */
  take(mentorId: string, change: AvailabilityChange): void {
    this.#changes.push([mentorId, change]);
    this.#later();
  }

  /** Reads slots again: those from `start` to before `end`, or all. */
  readAgain(span: Interval = { start: 0, end: Infinity }): void {
    this.#reads.again(span);
  }

  #later(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.schedule(() => {
      this.#isScheduled = false;
      if (!this.context.signal.aborted) this.#apply();
    });
  }

  /** Changes by the booking: slots that it has read, and times that it holds or books. */
  #follow(state: Readonly<BookingState>, previous: Readonly<BookingState>): void {
    if (this.#isWriting) return;
    if (state.calendar !== previous.calendar) {
      const { isLoading } = state.calendar;
      if (isLoading && !previous.calendar.isLoading) this.#begunAt = Date.now();
      const isRead = previous.calendar.isLoading && !isLoading && !state.calendar.error;
      if (isRead) this.readAt = Date.now();
      // A further month comes beside slots that were not read again.
      const isFurther = previous.calendar.slots.length > 0 && state.calendar.to > previous.calendar.to;
      if (state.calendar.slots !== this.#shown) this.#adopt(state.calendar.slots, isRead && !isFurther ? this.#begunAt : 0);
    }
    const isOurs = state.hold !== previous.hold || state.submission !== previous.submission;
    if (isOurs) this.#noteOwn(state);
    if (isOurs || state.calendar !== previous.calendar || state.slot !== previous.slot) this.#later();
  }

  /** Takes over slots that were read, or taken away, by others. */
  #adopt(slots: readonly Slot[], begunAt: number): void {
    this.#read = this.#shown = slots;
    this.#spanRead({ start: 0, end: Infinity }, begunAt);
  }

  /** The answer to a reading has what was taken before; slots under what was taken since may be missing in it. */
  #spanRead({ start, end }: Interval, begunAt: number): void {
    for (const [name, busy] of this.#busy) {
      const terms = termsOf(this.context.store.state, busy.mentorId);
      const span = terms ? startsWithin(busy, terms) : busy;
      if (busy.at < begunAt && span.start >= start && span.end <= end) this.#busy.delete(name);
      else if (span.start < end && span.end > start) busy.hidesUnread = true;
    }
  }

  #apply(): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const [mentorId, change] of changes) this.#takeChange(mentorId, change);
    this.#show();
    this.#checkChosen();
  }

  #takeChange(mentorId: string, change: AvailabilityChange): void {
    const terms = termsOf(this.context.store.state, mentorId);
    switch (change.kind) {
      case "snapshot":
        // Slots under a busy time: taken since they were read, or held by this person in another tab.
        if (terms) this.#readUnder(new TakenStarts(change.busy, terms), mentorId);
        if (!change.isFirst || (this.readAt && Date.now() - this.readAt > STALE_MS)) this.readAgain();
        break;
      case "busy":
        void this.#heedLimits(mentorId, change);
        this.#take(mentorId, change);
        break;
      case "free":
        void this.#heedLimits(mentorId, change);
        this.#free(mentorId, change);
        break;
      case "hours":
        this.#limits.forget(mentorId);
        this.readAgain();
    }
  }

  #readUnder(taken: TakenStarts, mentorId: string): void {
    for (const slot of this.#read) {
      const start = startOf(slot);
      if (slot.mentorProfileIds.includes(mentorId) && taken.has(start)) this.readAgain({ start, end: start + MINUTE_MS });
    }
  }

  #take(mentorId: string, { start, end }: Interval): void {
    this.#busy.set(nameOf(mentorId, { start, end }), { mentorId, start, end, at: Date.now(), hidesUnread: false });
  }

  /**
   * Slots that were read before the time was taken come back by themselves. The others are read: an answer that is on
   * its way, or that came before the news of the time that was taken, lacks them.
   */
  #free(mentorId: string, interval: Interval): void {
    const name = nameOf(mentorId, interval);
    const terms = termsOf(this.context.store.state, mentorId);
    const known = this.#busy.get(name);
    this.#busy.delete(name);
    this.#own.delete(name);
    if (!terms) return;
    const span = startsWithin(interval, terms);
    const isReading = this.#reads.isReading || this.context.store.state.calendar.isLoading;
    if (isReading || (known?.hidesUnread ?? true) || !this.#hasRead(mentorId, span)) this.readAgain(span);
  }

  /** Whether slots were read that start between two instants, both excluded. */
  #hasRead(mentorId: string, { start, end }: Interval): boolean {
    return this.#read.some((slot) => startOf(slot) > start && startOf(slot) < end && slot.mentorProfileIds.includes(mentorId));
  }

  /** When a mentor is busy with others than this component. */
  #busyWithOthers(mentorId: string): Interval[] {
    return [...this.#busy].flatMap(([name, busy]) => (busy.mentorId === mentorId && !this.#own.has(name) ? [busy] : []));
  }

  /** Where a mentor has so many sessions a day or a week, a booking changes what else is free. */
  async #heedLimits(mentorId: string, { start, end }: Interval): Promise<void> {
    if (await this.#limits.has(mentorId)) this.readAgain({ start: start - WEEK_MS, end: end + WEEK_MS });
  }

  /** Shows the slots that were read, without those that are taken. */
  #show(): void {
    const { store } = this.context;
    const now = Date.now();
    const blocked = new Map<string, { taken: TakenStarts; noticeMs: number }>();
    for (const { mentor } of store.state.offers) {
      const terms = termsOf(store.state, mentor.id);
      if (!terms) continue;
      const taken = new TakenStarts(this.#busyWithOthers(mentor.id), terms);
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
    for (const slot of this.#read) {
      const start = startOf(slot);
      const free = slot.mentorProfileIds.filter((each) => isFree(each, start));
      const before = seen.get(slot.startTime);
      if (free.length) {
        if (!before && this.#shown.length && visible(start)) marks.set(slot, "freed");
        else marks.delete(slot, "taken");
        const isSame = before?.mentorProfileIds.length === free.length;
        slots.push(isSame ? before : free.length === slot.mentorProfileIds.length ? slot : { ...slot, mentorProfileIds: free });
      } else if (before && visible(start) && !slot.mentorProfileIds.every((each) => isTooSoon(each, start))) {
        if (marks.isOver(slot)) {
          marks.delete(slot, "taken");
          continue;
        }
        if (marks.of(slot) !== "taken") {
          marks.set(before, "taken");
          this.#taken.push(before);
        }
        slots.push(before);
      }
    }
    const isChanged = slots.length !== this.#shown.length || slots.some((slot, at) => slot !== this.#shown[at]);
    if (isChanged) {
      this.#shown = slots;
      this.#isWriting = true;
      store.update(({ calendar }) => ({ calendar: { ...calendar, slots } }));
      this.#isWriting = false;
    }
    this.#announce(now);
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

  /** A time that this component holds or books is not taken by others. */
  #noteOwn({ slot, slotMentorId, hold, submission }: Readonly<BookingState>): void {
    const isOurs = hold.kind === "requesting" || hold.kind === "held" || submission.kind === "sending";
    const mentorId = slotMentorId ?? slot?.mentorProfileIds[0];
    const terms = mentorId && termsOf(this.context.store.state, mentorId);
    if (!slot || !terms) return;
    const name = nameOf(mentorId, blockOf(startOf(slot), terms));
    if (isOurs) this.#own.add(name);
    else if (hold.kind === "unavailable") this.#own.delete(name);
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
    if (new TakenStarts(this.#busyWithOthers(mentorId), terms).has(startOf(slot))) this.context.flow.slotLost(new ApiError(409, "slot_taken"));
  }

  /** Replaces the slots of a span by the ones that were read. */
  #takeRead(found: Slot[], span: Interval, begunAt: number): void {
    const { store } = this.context;
    const { start, end } = span;
    // The booking has begun a later reading, whose answer this one must not replace.
    if (this.#begunAt >= begunAt) return this.readAgain(span);
    this.readAt = Date.now();
    if (store.state.calendar.error) store.update({ calendar: { ...store.state.calendar, error: null } });
    const before = this.#read.filter((slot) => startOf(slot) < start);
    const after = this.#read.filter((slot) => startOf(slot) >= end);
    this.#read = [...before, ...found, ...after];
    this.#spanRead(span, begunAt);
    this.#show();
    const { slot, hold } = store.state;
    const at = slot ? startOf(slot) : 0;
    const isGone = at >= start && at < end && !found.some((each) => startOf(each) === at);
    if (slot && isGone && hold.kind !== "requesting") this.context.flow.slotLost(new ApiError(409, "outside_hours"));
  }
}

function nameOf(mentorId: string, interval: Interval): string {
  return `${mentorId} ${keyOf(interval)}`;
}

/** Frames rest while a page is hidden, and timers do not. */
function onNextFrame(work: () => void): void {
  if (document.hidden) setTimeout(work, 250);
  else requestAnimationFrame(work);
}
