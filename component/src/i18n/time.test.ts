// @vitest-environment node
import { describe, expect, it, vi } from "vitest";
import { addDays, dayOf, formatRange, formatSpan, formatter, localZone, startOfDay } from "./time.js";

const HOUR_MS = 3_600_000;
const hoursOf = (day: string, zone: string): number => (startOfDay(addDays(day, 1), zone) - startOfDay(day, zone)) / HOUR_MS;

describe("days of a zone", () => {
  it("has 23 hours where the clocks go forward and 25 where they go back", () => {
    expect(hoursOf("2030-03-31", "Europe/Berlin")).toBe(23);
    expect(hoursOf("2030-10-27", "Europe/Berlin")).toBe(25);
    expect(hoursOf("2030-03-10", "America/New_York")).toBe(23);
    expect(hoursOf("2030-11-03", "America/New_York")).toBe(25);
    expect(hoursOf("2030-10-06", "Australia/Lord_Howe")).toBe(23.5);
  });

  it("begins with the jump where midnight is skipped", () => {
    // Cairo: on the last Friday of April the clocks go from 24:00 to 01:00.
    expect(new Date(startOfDay("2024-04-26", "Africa/Cairo")).toISOString()).toBe("2024-04-25T22:00:00.000Z");
    expect(hoursOf("2024-04-26", "Africa/Cairo")).toBe(23);
  });

  it("begins with the first of two midnights", () => {
    // Havana: at 01:00 the clocks go back to 00:00.
    expect(hoursOf("2024-11-03", "America/Havana")).toBe(25);
    expect(dayOf(startOfDay("2024-11-03", "America/Havana") - 1, "America/Havana")).toBe("2024-11-02");
  });
});

describe("from one time of day to another", () => {
  const format = (locale: string): Intl.DateTimeFormat => formatter(locale, { timeZone: "UTC", hour: "numeric", minute: "2-digit" });
  /** With plain spaces: browsers choose between several. */
  const range = (locale: string, from: string, to: string): string =>
    formatRange(format(locale), Date.parse(`2030-05-04T${from}Z`), Date.parse(`2030-05-04T${to}Z`)).replace(/[\u2009\u202f]/g, " ");

  it.each([
    ["en-US", "00:00", "08:45", "12:00 AM – 8:45 AM"],
    ["en-US", "12:15", "15:00", "12:15 PM – 3:00 PM"],
    ["en-US", "09:00", "10:00", "9:00 – 10:00 AM"],
    ["en-US", "11:30", "12:30", "11:30 AM – 12:30 PM"],
    ["en-GB", "12:00", "12:45", "12:00–12:45"],
    ["de", "12:00", "12:45", "12:00–12:45 Uhr"],
  ])("tells noon from midnight: %s %s", (locale, from, to, shown) => expect(range(locale, from, to)).toBe(shown));

  it("tells them apart in a whole date, too", () => {
    const [start, end] = [Date.parse("2030-05-04T00:00Z"), Date.parse("2030-05-04T01:00Z")];
    expect(formatSpan(start, end, "en-US", "UTC").replace(/[\u2009\u202f]/g, " ")).toContain("12:00 AM – 1:00 AM");
  });
});

it("is UTC where the browser's own zone is none", () => {
  vi.spyOn(Intl.DateTimeFormat.prototype, "resolvedOptions").mockReturnValueOnce({ timeZone: "Etc/Unknown" } as Intl.ResolvedDateTimeFormatOptions);
  expect(localZone()).toBe("UTC");
});
