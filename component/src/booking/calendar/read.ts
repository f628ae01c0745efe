/** Reads the free slots of a stretch of time, in as many answers as the API makes of it. */

import type { Slot, Slots } from "../../api/types.js";

const MAX_SPAN_MS = 92 * 86_400_000; // of one request

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
