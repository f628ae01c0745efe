/** Times in a time zone, by Intl alone. A day is `YYYY-MM-DD`, an instant milliseconds since the epoch. */

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** A formatter, made once for its locale and options: making one takes longer than formatting a month. */
export function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}

/** A date and a time of day. */
export function formatMoment(instant: number, locale: string, zone: string): string {
  return formatter(locale, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }).format(instant);
}

/** The browser's time zone; UTC where it names one that it does not know, such as "Etc/Unknown". */
export function localZone(): string {
  return knownZone(new Intl.DateTimeFormat().resolvedOptions().timeZone) ?? "UTC";
}

/** The zone, if Intl knows it: its list may be older than the API's. */
export function knownZone(zone: string | null | undefined): string | null {
  try {
    formatter("en", { timeZone: zone ?? "" });
    return zone ?? null;
  } catch {
    return null;
  }
}

/** How far the zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function offsetAt(instant: number, zone: string): number {
  const shown = formatter("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).format(instant);
  const [month = 0, day = 0, year = 0, ...time] = (shown.match(/\d+/g) ?? []).map(Number);
  return Date.UTC(year, month - 1, day, ...time) - Math.floor(instant / 1000) * 1000;
}

/** The day of an instant in a zone. */
export function dayOf(instant: number, zone: string): string {
  return new Date(instant + offsetAt(instant, zone)).toISOString().slice(0, 10);
}

/** The first instant of a day in a zone, also where its midnight is skipped or comes twice. */
export function startOfDay(day: string, zone: string): number {
  const wall = Date.parse(`${day}T00:00:00Z`);
  // Where the clocks jump over midnight, the day begins with the jump, when they would have shown it.
  return instantsOf(wall, zone)[0] ?? wall - Math.min(...offsetsAround(wall, zone));
}

/**
 * The instants at which a zone's clocks show a time, in order: none where they skip it, two where it comes twice.
 *
 * @param wall the time, as if it were UTC's.
 */
export function instantsOf(wall: number, zone: string): number[] {
  const instants = [...new Set(offsetsAround(wall, zone))].map((offset) => wall - offset);
  if (instants.length === 1) return instants;
  return instants.filter((each) => each + offsetAt(each, zone) === wall).sort((one, other) => one - other);
}

/** The offsets a day before and a day after. */
function offsetsAround(instant: number, zone: string): [number, number] {
  return [offsetAt(instant - DAY_MS, zone), offsetAt(instant + DAY_MS, zone)];
}

/** A day some days later; calendar arithmetic, whatever the clocks do. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The first day of the month some months later. */
export function addMonths(day: string, months: number): string {
  const [year = 0, month = 1] = day.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}

/** A day in words; it has no zone. */
export function formatDay(day: string, locale: string, options: Intl.DateTimeFormatOptions): string {
  return formatter(locale, { ...options, timeZone: "UTC" }).format(Date.parse(`${day}T00:00:00Z`));
}

/** The time of day of an instant: "9:30 AM", "09:30". */
export function formatTime(instant: number, locale: string, zone: string): string {
  return formatter(locale, { timeZone: zone, timeStyle: "short" }).format(instant);
}

/** As `formatTime`, with the zone's offset: for times that a day has twice. */
export function formatTimeWithOffset(instant: number, locale: string, zone: string): string {
  return `${formatTime(instant, locale, zone)} ${offsetName(instant, locale, zone)}`;
}

/** The zone's offset in words: "GMT+2". */
function offsetName(instant: number, locale: string, zone: string): string {
  const parts = formatter(locale, { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(instant);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

/** Date and time span in a zone: "Saturday, May 4, 2030, 9:00 – 10:00 AM". */
export function formatSpan(start: number, end: number, locale: string, zone: string): string {
  const options = { timeZone: zone, dateStyle: "full", timeStyle: "short" } as const;
  return formatRange(formatter(locale, options), start, end);
}

/** From one instant to another: "9:00 – 10:00 AM"; from twelve, which may be noon or midnight, "12:00 AM – 8:45 AM". */
export function formatRange(format: Intl.DateTimeFormat, start: number, end: number): string {
  const parts = format.formatRangeToParts(start, end);
  const at = (type: string, source: string): number => parts.findIndex((part) => part.type === type && part.source === source);
  const [hour, minute, period] = [at("hour", "startRange"), at("minute", "startRange"), at("dayPeriod", "shared")];
  // The half of the day is named once, after both.
  const isAfterBoth = period > minute && parts[hour]?.value === "12";
  return parts.map(({ value }, index) => (isAfterBoth && index === minute ? `${value} ${parts[period]?.value}` : value)).join("");
}

/** The zone's place and present offset: "Berlin (GMT+2)". */
export function formatZone(zone: string, locale: string, instant = Date.now()): string {
  const offset = offsetName(instant, locale, zone);
  const place = zone.replaceAll("_", " ").split("/").slice(1).reverse().join(", ") || zone;
  return place === offset ? place : `${place} (${offset})`;
}
