import { describe, expect, it } from "vitest";
import { addDays, dayOf, startOfDay } from "../src/format/time.js";

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
