/** When mentors are busy, as their streams tell it; and which of these times are this component's own. */

import type { Slot } from "../../api/types.js";
import { keyOf, type Interval } from "./hub.js";
import { firstAfter, startsWithin, type Terms } from "./taken.js";

export interface Busy extends Interval {
  /** Whether slots under it may be missing among those that were read, so that they are read when it ends. */
  hidesUnread: boolean;
  /** Whether slots were read under it: it may be a hold of this person, from another tab or an earlier visit. */
  isUnsure?: boolean;
}

/** What a mentor's stream has told. */
interface MentorTimes {
  busy: Map<string, Busy>;
  /** What components of this page are booking, by the claim's id. */
  claims: Map<string, Interval>;
}

/** How a mentor is booked at present; null where that is not known. */
type TermsOf = (mentorId: string) => Terms | null;

export class BusyTimes {
  readonly #mentors = new Map<string, MentorTimes>();
  /** Blocks that this component holds, books or has booked, by `mentor start-end`. */
  readonly #own = new Set<string>();

  constructor(private readonly termsOf: TermsOf) {}

  forget(mentorId: string): void {
    this.#mentors.delete(mentorId);
  }

  all(): Set<Busy> {
    return new Set([...this.#mentors.values()].flatMap(({ busy }) => [...busy.values()]));
  }

  /** All busy times of a mentor, in the place of those that were known; those that slots were read under are unsure. */
  replace(mentorId: string, found: readonly Interval[], isRead: (span: Interval) => boolean): Busy[] {
    const terms = this.termsOf(mentorId);
    const busy = found.map((each): Busy => {
      const isUnsure = terms !== null && isRead(startsWithin(each, terms));
      return { ...each, hidesUnread: true, isUnsure };
    });
    this.#of(mentorId).busy = new Map(busy.map((each) => [keyOf(each), each]));
    return busy;
  }

  add(mentorId: string, interval: Interval, hidesUnread: boolean): void {
    this.#of(mentorId).busy.set(keyOf(interval), { ...interval, hidesUnread });
  }

  /** @returns what was known of the time. */
  remove(mentorId: string, interval: Interval): Busy | undefined {
    const { busy } = this.#of(mentorId);
    const found = busy.get(keyOf(interval));
    busy.delete(keyOf(interval));
    this.#own.delete(`${mentorId} ${keyOf(interval)}`);
    return found;
  }

  claim(mentorId: string, id: string, interval: Interval | null): void {
    const { claims } = this.#of(mentorId);
    if (interval) claims.set(id, interval);
    else claims.delete(id);
  }

  /** Notes that a time is this component's own, or not any longer. */
  setOwn(mentorId: string, interval: Interval, isOwn: boolean): void {
    const name = `${mentorId} ${keyOf(interval)}`;
    if (isOwn) this.#own.add(name);
    else this.#own.delete(name);
  }

  /** When a mentor is busy with others than this component. */
  ofOthers(mentorId: string): Interval[] {
    const times = this.#mentors.get(mentorId);
    if (!times) return [];
    const busy = [...times.busy].filter(([key, each]) => !each.isUnsure && !this.#own.has(`${mentorId} ${key}`));
    return [...busy.map(([, each]) => each), ...times.claims.values()];
  }

  /** Other slots are known from now on: what is missing among them may be under any busy time. */
  slotsChanged(): void {
    this.#mentors.forEach(({ busy }) => busy.forEach((each) => (each.hidesUnread = true)));
  }

  /** Slots of a span were read: what was unsure of it is known. */
  spanRead({ start, end }: Interval): void {
    for (const [mentorId, { busy }] of this.#mentors) {
      const terms = this.termsOf(mentorId);
      for (const each of terms ? busy.values() : []) {
        const span = startsWithin(each, terms as Terms);
        if (span.start < end && span.end > start) Object.assign(each, { hidesUnread: true, isUnsure: false });
      }
    }
  }

  /**
   * Looks at slots that were just read under busy times. Where a time was known before, the API offers it all the same:
   * only holds of this person do not count for it.
   *
   * @param known the busy times that were known when the slots began to be read.
   * @returns the spans that are to be read again, since their time has come meanwhile.
   */
  compare(found: readonly Slot[], known: ReadonlySet<Busy>): Interval[] {
    const starts = found.map(({ startTime }) => Date.parse(startTime));
    const unsure: Interval[] = [];
    for (const [mentorId, { busy }] of this.#mentors) {
      const terms = this.termsOf(mentorId);
      for (const each of terms ? busy.values() : []) {
        const span = startsWithin(each, terms as Terms);
        if (!isOffered(mentorId, span, found, starts)) continue;
        each.isUnsure = !known.has(each);
        if (each.isUnsure) unsure.push(span);
        else this.setOwn(mentorId, each, true);
      }
    }
    return unsure;
  }

  #of(mentorId: string): MentorTimes {
    const times = this.#mentors.get(mentorId) ?? { busy: new Map(), claims: new Map() };
    this.#mentors.set(mentorId, times);
    return times;
  }
}

/** Whether there is a slot of the mentor that starts within the span, both ends excluded. */
export function isOffered(mentorId: string, span: Interval, slots: readonly Slot[], starts: readonly number[]): boolean {
  for (let at = firstAfter(starts, span.start); at < starts.length && (starts[at] as number) < span.end; at++) {
    if (slots[at]?.mentorProfileIds.includes(mentorId)) return true;
  }
  return false;
}
