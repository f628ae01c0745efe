/** Where free slots are read, and how: a stretch of time in as many answers as the API makes of it. */

import type { Slot, Slots } from "../../api/types.js";
import type { BookingState } from "../state.js";

const MAX_SPAN_MS = 92 * 86_400_000; // of one request

export interface SlotsSource {
  /** Of a mentor, or of a course. */
  path: string;
  query: Record<string, string | number | null | undefined>;
}

/** Where the slots of what is chosen are read; null while that is not known. */
export function sourceOf({ course, durationMinutes, listing, offers }: Readonly<BookingState>): SlotsSource | null {
  if (course) return { path: `/courses/${course.id}/slots`, query: { durationMinutes } };
  const mentor = offers[0]?.mentor;
  return mentor ? { path: `/mentors/${mentor.id}/slots`, query: { durationMinutes, listingId: listing?.id } } : null;
}

/** @param read asks for the slots of a span, `to` excluded; the answer may end before it. */
export async function readSlots(
  start: number,
  end: number,
  read: (span: { from: string; to: string }) => Promise<Slots>,
): Promise<Slot[]> {
  const found: Slot[] = [];
  for (let at = start; at < end; ) {
    const until = Math.min(end, at + MAX_SPAN_MS);
    const page = await read({ from: isoOf(at), to: isoOf(until) });
    found.push(...page.items);
    at = page.nextFrom ? Date.parse(page.nextFrom) : until;
  }
  return found;
}

export function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}
