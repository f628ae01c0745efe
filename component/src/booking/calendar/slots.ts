/** Pure functions of slots and days: which are shown, in which order, under which label. */

import type { Slot } from "../../api/types.js";
import { addDays, addMonths, dayOf, formatTime, formatTimeWithOffset, instantsOf, offsetAt, startOfDay } from "../../i18n/time.js";

/** The start of a slot, in milliseconds since the epoch. */
export function startOf(slot: Slot): number {
  return Date.parse(slot.startTime);
}

/** The slots that are still to come and whose mentor is the wanted one (null: any). */
export function bookableSlots(slots: readonly Slot[], mentorId: string | null, now: number): Slot[] {
  return slots.filter((slot) => startOf(slot) > now && (!mentorId || slot.mentorProfileIds.includes(mentorId)));
}

/** How many slots each day of a month has, by day. Slots are in the order of their starts. */
export function slotsByDay(slots: readonly Slot[], month: string, zone: string): Map<string, Slot[]> {
  const days = new Map<string, Slot[]>();
  const end = startOfDay(addMonths(month, 1), zone);
  let at = slots.findIndex((slot) => startOf(slot) >= startOfDay(month, zone));
  if (at < 0) return days;
  while (at < slots.length && startOf(slots[at] as Slot) < end) {
    const day = dayOf(startOf(slots[at] as Slot), zone);
    const next = startOfDay(addDays(day, 1), zone);
    const first = at;
    while (at < slots.length && startOf(slots[at] as Slot) < next) at++;
    days.set(day, slots.slice(first, at));
  }
  return days;
}

/** The weeks of a month: seven entries each, null for days of other months. */
export function weeksOf(month: string, firstWeekday: number): (string | null)[][] {
  const lead = (weekdayOf(month) - firstWeekday + 7) % 7;
  const days: (string | null)[] = Array<null>(lead).fill(null);
  for (let day = month; day < addMonths(month, 1); day = addDays(day, 1)) days.push(day);
  while (days.length % 7) days.push(null);
  return Array.from({ length: days.length / 7 }, (_, week) => days.slice(week * 7, week * 7 + 7));
}

/** The weekday of a day: 0 for Sunday. */
export function weekdayOf(day: string): number {
  return new Date(`${day}T00:00:00Z`).getUTCDay();
}

/** The weekday with which weeks begin in a locale: 0 for Sunday. Monday where the browser does not tell. */
export function firstWeekdayOf(locale: string): number {
  const found = new Intl.Locale(locale) as Intl.Locale & {
    getWeekInfo?(): { firstDay: number };
    weekInfo?: { firstDay: number };
  };
  return ((found.getWeekInfo?.() ?? found.weekInfo)?.firstDay ?? 1) % 7;
}

export type DayPart = "morning" | "afternoon" | "evening";

interface LabelledSlot {
  slot: Slot;
  label: string;
}

/** The slots of a day by part of the day, each with its time; with the offset where the clocks show a time twice. */
export function partsOfDay(slots: readonly Slot[], locale: string, zone: string): [DayPart, LabelledSlot[]][] {
  const parts = new Map<DayPart, LabelledSlot[]>();
  for (const slot of slots) {
    const start = startOf(slot);
    const wall = start + offsetAt(start, zone);
    const isTwice = instantsOf(wall, zone).length > 1;
    const label = (isTwice ? formatTimeWithOffset : formatTime)(start, locale, zone);
    const part = partOfDay(new Date(wall).getUTCHours());
    parts.set(part, [...(parts.get(part) ?? []), { slot, label }]);
  }
  return [...parts];
}

function partOfDay(hour: number): DayPart {
  return hour < 12 ? "morning" : hour < 17 ? "afternoon" : "evening";
}

/** Slots without those that overlap a time which is taken now. */
export function withoutOverlap(slots: readonly Slot[], startTime: string, endTime: string, mentorId: string): Slot[] {
  const [start, end] = [Date.parse(startTime), Date.parse(endTime)];
  return slots.flatMap((slot) => {
    if (startOf(slot) >= end || Date.parse(slot.endTime) <= start) return [slot];
    const others = slot.mentorProfileIds.filter((id) => id !== mentorId);
    return others.length ? [{ ...slot, mentorProfileIds: others }] : [];
  });
}
