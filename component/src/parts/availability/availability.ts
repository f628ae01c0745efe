/** Whether the mentor can be booked: the next free time, and how many there are in the coming week. */

import { html, nothing } from "lit";
import type { BookingState } from "../../booking/state.js";
import { bookableSlots, startOf } from "../../booking/calendar/slots.js";
import { addDays, dayOf, formatTime, formatter, startOfDay } from "../../i18n/time.js";
import type { PartContext, Rendered } from "../../booking/contracts.js";
import type { ExtrasWords } from "../../i18n/enhanced/words.js";
import { count } from "../../ui/view.js";

const WEEK_DAYS = 7;

export interface Availability {
  /** The next free time, in milliseconds since the epoch; null where none is known. */
  next: number | null;
  /** Free times in the coming seven days; null while they are not all known. */
  inWeek: number | null;
}

/** Availability by the known free times; null while they are being read. */
export function availabilityOf(state: BookingState, now: number): Availability | null {
  const { calendar, mentorId, zone } = state;
  if (!calendar.to || calendar.error || (calendar.isLoading && !calendar.slots.length)) return null;
  const slots = bookableSlots(calendar.slots, mentorId, now);
  const weekEnd = startOfDay(addDays(dayOf(now, zone), WEEK_DAYS), zone);
  return {
    next: slots[0] ? startOf(slots[0]) : null,
    inWeek: calendar.to >= weekEnd ? slots.filter((slot) => startOf(slot) < weekEnd).length : null,
  };
}

/** "today, 9:00 AM", "tomorrow, 9:00 AM", "Mon, May 6, 9:00 AM". */
export function nearTime(instant: number, now: number, locale: string, zone: string): string {
  const days = (Date.parse(dayOf(instant, zone)) - Date.parse(dayOf(now, zone))) / 86_400_000;
  if (days < 0 || days > 1) {
    const options = { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" } as const;
    return formatter(locale, { ...options, timeZone: zone }).format(instant);
  }
  const day = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(days, "day");
  return `${day}, ${formatTime(instant, locale, zone)}`;
}

export function renderAvailability(context: PartContext, words: ExtrasWords, locale: string): Rendered {
  const { state } = context.store;
  const now = Date.now();
  const found = availabilityOf(state, now);
  if (!found) return nothing;
  const { next, inWeek } = found;
  // Until when there is none, the calendar says.
  if (next === null) return html`<span class="availability none" part="availability">${words.availability.none}</span>`;
  return html`<span class="availability" part="availability"
      >${words.availability.next(nearTime(next, now, locale, state.zone))}</span
    >
    ${inWeek ? html`<span class="muted">${count(context, inWeek, words.plurals.weekly)}</span>` : nothing}`;
}
