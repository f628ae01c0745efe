/** Which starts a mentor's busy times leave open, for sessions of a duration with buffers. */

import type { BookingState } from "../../booking/state.js";
import type { Interval } from "./hub.js";

/** How a mentor is booked: by which listing. All in milliseconds. */
export interface Terms {
  durationMs: number;
  bufferBeforeMs: number;
  bufferAfterMs: number;
  noticeMs: number;
}

/** The time that a session blocks: with its buffers. */
export function blockOf(start: number, terms: Terms): Interval {
  return { start: start - terms.bufferBeforeMs, end: start + terms.durationMs + terms.bufferAfterMs };
}

/** From which start to which no session may begin, both excluded: it would overlap the busy time. */
export function startsWithin(busy: Interval, terms: Terms): Interval {
  return { start: busy.start - terms.durationMs - terms.bufferAfterMs, end: busy.end + terms.bufferBeforeMs };
}

/** Answers for starts in ascending order whether busy times are in the way. */
export class TakenStarts {
  readonly #spans: Interval[] = [];
  #at = 0;

  constructor(busy: Iterable<Interval>, terms: Terms) {
    const spans = Array.from(busy, (each) => startsWithin(each, terms));
    spans.sort((one, other) => one.start - other.start);
    for (const span of spans) {
      const last = this.#spans.at(-1);
      // Where one begins as the other ends, there is a start between them.
      if (last && span.start < last.end) last.end = Math.max(last.end, span.end);
      else this.#spans.push(span);
    }
  }

  has(start: number): boolean {
    while (this.#at < this.#spans.length && (this.#spans[this.#at] as Interval).end <= start) this.#at++;
    const span = this.#spans[this.#at];
    return span !== undefined && start > span.start;
  }
}

/** How a mentor is booked with what is chosen; null where that is not known. */
export function termsOf(state: Readonly<BookingState>, mentorId: string): Terms | null {
  const listings = state.offers.find(({ mentor }) => mentor.id === mentorId)?.listings ?? [];
  const { durationMinutes } = state;
  const listing = state.listing ?? listings.find((each) => each.durationMinutes === durationMinutes);
  return listing
    ? {
        durationMs: durationMinutes * 60_000,
        bufferBeforeMs: listing.bufferBeforeMinutes * 60_000,
        bufferAfterMs: listing.bufferMinutes * 60_000,
        noticeMs: listing.minNoticeMinutes * 60_000,
      }
    : null;
}
