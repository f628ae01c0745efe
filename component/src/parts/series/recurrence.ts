/** The dates of a series, as the API makes them: at the wall-clock time of the first one, in one zone. */

import type { Recurrence } from "../../api/types.js";
import { addDays, dayOf, instantsOf, offsetAt } from "../../i18n/time.js";

export const MAX_SESSIONS = 52;
export const MIN_SESSIONS = 2;
const DAY_MS = 86_400_000;

/** The fields of a series. */
export interface SeriesFields {
  /** 0: no series. */
  everyWeeks: number;
  ends: "count" | "until";
  /** NaN while the field is empty. */
  count: number;
  /** `YYYY-MM-DD`, or empty. */
  until: string;
  skip: boolean;
}

export const NO_SERIES: SeriesFields = { everyWeeks: 0, ends: "count", count: 4, until: "", skip: true };

export interface Occurrence {
  /** Milliseconds since the epoch. */
  start: number;
  /** False where the clocks skip the time on that date. */
  exists: boolean;
}

type Mistake = "badCount" | "tooFew" | "tooMany";

/** The fields as the request has them; null for a single session. */
export function recurrenceOf(fields: SeriesFields): Recurrence | null {
  const { everyWeeks, ends, count, until, skip } = fields;
  if (!everyWeeks) return null;
  return { ...(ends === "count" ? { count } : { until }), everyWeeks, onConflict: skip ? "skip" : "fail" };
}

/** The mistake in the fields, or null. */
export function mistakeOf(fields: SeriesFields, first: number, zone: string): Mistake | null {
  if (!fields.everyWeeks) return null;
  const number = countOf(fields, dayOf(first, zone));
  const isOutside = !(number >= MIN_SESSIONS && number <= MAX_SESSIONS);
  if (fields.ends === "count") return isOutside || !Number.isInteger(number) ? "badCount" : null;
  return isOutside ? (number > MAX_SESSIONS ? "tooMany" : "tooFew") : null;
}

/** The dates of a series, the first one included; none where its fields make no sense. */
export function occurrencesOf(fields: SeriesFields, first: number, zone: string): Occurrence[] {
  if (!fields.everyWeeks || mistakeOf(fields, first, zone)) return [];
  const firstDay = dayOf(first, zone);
  const wall = first + offsetAt(first, zone) - Date.parse(`${firstDay}T00:00:00Z`);
  return Array.from({ length: countOf(fields, firstDay) }, (_, index) =>
    index === 0 ? { start: first, exists: true } : at(addDays(firstDay, index * 7 * fields.everyWeeks), wall, zone),
  );
}

function countOf({ ends, count, until, everyWeeks }: SeriesFields, firstDay: string): number {
  if (ends === "count") return count;
  const days = (Date.parse(`${until}T00:00:00Z`) - Date.parse(`${firstDay}T00:00:00Z`)) / DAY_MS;
  return Math.floor(days / (7 * everyWeeks)) + 1;
}

/** A wall-clock time of a day; of one that comes twice, the first. */
function at(day: string, wallTime: number, zone: string): Occurrence {
  const wall = Date.parse(`${day}T00:00:00Z`) + wallTime;
  const [start] = instantsOf(wall, zone);
  return start === undefined ? { start: wall - offsetAt(wall - DAY_MS, zone), exists: false } : { start, exists: true };
}
