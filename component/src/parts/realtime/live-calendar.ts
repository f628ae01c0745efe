/** Keeps the free slots right by what the streams bring; what they do not tell is read again, as little as possible. */

import { ApiError } from "../../api/errors.js";
import type { Slot } from "../../api/types.js";
import { startOf } from "../../booking/calendar/slots.js";
import type { BookingState } from "../../booking/state.js";
import { addDays, startOfDay } from "../../i18n/time.js";
import type { PartContext } from "../../booking/contracts.js";
import { BusyTimes, isOffered, type Busy } from "./busy-times.js";
import type { AvailabilityChange, Interval } from "./hub.js";
import { MentorLimits } from "./limits.js";
import { SlotMarks, type Mark } from "./marks.js";
import { SlotReads } from "./slot-reads.js";
import { blockOf, firstAfter, startsWithin, TakenStarts, termsOf } from "./taken.js";

const WEEK_MS = 7 * 86_400_000;
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
  readonly #times: BusyTimes;
  readonly #limits: MentorLimits;
  readonly #reads: SlotReads<Set<Busy>>;
  readonly #marks: SlotMarks;
  #changes: [mentorId: string, change: AvailabilityChange][] = [];
  /** The slots as they were read; those that are shown are among them. */
  #read: readonly Slot[];
  #starts: number[] = [];
  #shown: readonly Slot[];
  /** The busy times that were known when slots began to be read. */
  #known: ReadonlySet<Busy> = new Set();
  #isWriting = false;
  #isScheduled = false;
  #taken: Slot[] = [];
  #announcedAt = 0;

  constructor(
    private readonly context: PartContext,
    private readonly schedule: (work: () => void) => void = onNextFrame,
  ) {
    const { element, signal, store } = context;
    this.#times = new BusyTimes((mentorId) => termsOf(store.state, mentorId));
    this.#limits = new MentorLimits(context.client, signal);
    this.#reads = new SlotReads(
      context,
      () => this.#times.all(),
      (found, span, known) => this.#takeRead(found, span, known),
    );
    this.#marks = new SlotMarks(element, () => this.#later(), signal);
    this.#read = this.#shown = store.state.calendar.slots;
    this.#adopt(this.#read);
    if (this.#read.length) this.readAt = store.state.calendar.from;
    store.subscribe((state, previous) => this.#follow(state, previous), signal);
    const clock = setInterval(() => this.#later(), CLOCK_MS);
    signal.addEventListener("abort", () => clearInterval(clock));
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
    this.#times.forget(mentorId);
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

  /** What others have changed: slots that were read, and what this component is booking. */
  #follow(state: Readonly<BookingState>, previous: Readonly<BookingState>): void {
    if (this.#isWriting) return;
    if (state.calendar !== previous.calendar) {
      const { isLoading } = state.calendar;
      if (isLoading && !previous.calendar.isLoading) this.#known = this.#times.all();
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
    if (!isReduced) this.#times.slotsChanged();
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
    const times = this.#times;
    const terms = termsOf(this.context.store.state, mentorId);
    const isRead = (span: Interval): boolean => isOffered(mentorId, span, this.#read, this.#starts);
    switch (change.kind) {
      case "snapshot":
        for (const each of times.replace(mentorId, change.busy, isRead)) {
          if (each.isUnsure && terms) this.readAgain(startsWithin(each, terms));
        }
        if (!change.isFirst || (this.readAt && Date.now() - this.readAt > STALE_MS)) this.readAgain();
        break;
      case "busy":
        void this.#heedLimits(mentorId, change);
        // Slots that were read before it come back by themselves when it ends.
        times.add(mentorId, { start: change.start, end: change.end }, !terms || !isRead(startsWithin(change, terms)));
        break;
      case "free": {
        void this.#heedLimits(mentorId, change);
        const found = times.remove(mentorId, change);
        if (terms && (found?.hidesUnread ?? true)) this.readAgain(startsWithin(change, terms));
        break;
      }
      case "hours":
        this.#limits.forget(mentorId);
        this.readAgain();
        break;
      case "claim":
        times.claim(mentorId, change.id, change.interval);
    }
  }

  /** Where a mentor has so many sessions a day or a week, a booking changes what else is free. */
  async #heedLimits(mentorId: string, { start, end }: Interval): Promise<void> {
    if (await this.#limits.has(mentorId)) this.readAgain({ start: start - WEEK_MS, end: end + WEEK_MS });
  }

  /** Looks at slots that were just read; where a busy time has come meanwhile, once more. */
  #compare(found: readonly Slot[], known: ReadonlySet<Busy>): void {
    for (const span of this.#times.compare(found, known)) this.readAgain(span);
  }

  /** Shows the slots that were read, without those that are taken. */
  #show(): void {
    const { store } = this.context;
    const now = Date.now();
    const blocked = new Map<string, { taken: TakenStarts; noticeMs: number }>();
    for (const { mentor } of store.state.offers) {
      const terms = termsOf(store.state, mentor.id);
      if (!terms) continue;
      const taken = new TakenStarts(this.#times.ofOthers(mentor.id), terms);
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
    if (isOurs || hold.kind === "unavailable") this.#times.setOwn(mentorId, blockOf(startOf(slot), terms), isOurs);
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
    if (new TakenStarts(this.#times.ofOthers(mentorId), terms).has(startOf(slot))) this.context.flow.slotLost(new ApiError(409, "slot_taken"));
  }

  /** Puts slots that were read in the place of those that were there. */
  #takeRead(found: Slot[], span: Interval, known: ReadonlySet<Busy>): void {
    const { store } = this.context;
    const { start, end } = span;
    this.readAt = Date.now();
    if (store.state.calendar.error) store.update({ calendar: { ...store.state.calendar, error: null } });
    const first = firstAfter(this.#starts, start - 1);
    const last = firstAfter(this.#starts, end - 1);
    this.#keep([...this.#read.slice(0, first), ...found, ...this.#read.slice(last)]);
    this.#times.spanRead(span);
    this.#compare(found, known);
    this.#show();
    const { slot, hold } = store.state;
    const at = slot ? startOf(slot) : 0;
    const isGone = at >= start && at < end && !found.some((each) => startOf(each) === at);
    if (slot && isGone && hold.kind !== "requesting") this.context.flow.slotLost(new ApiError(409, "outside_hours"));
  }
}

function isSubset(some: readonly Slot[], all: readonly Slot[]): boolean {
  const known = new Set(all);
  return some.every((slot) => known.has(slot));
}

/** Frames rest while a page is hidden, and timers do not. */
function onNextFrame(work: () => void): void {
  if (document.hidden) setTimeout(work, 250);
  else requestAnimationFrame(work);
}
