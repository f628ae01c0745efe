// @vitest-environment node
import { describe, expect, it } from "vitest";
import { ApiError } from "../../api/errors.js";
import type { Slot } from "../../api/types.js";
import { initialState, type BookingState, type Calendar } from "../../booking/state.js";
import { availabilityOf, nearTime } from "./availability.js";

const NOW = Date.parse("2030-05-04T09:00:00Z");
const DAY_MS = 86_400_000;

function stateOf(calendar: Partial<Calendar>): BookingState {
  const state = initialState("Europe/Berlin", "2030-05-04");
  return { ...state, calendar: { ...state.calendar, from: NOW, to: NOW + 30 * DAY_MS, ...calendar } };
}

function slot(instant: number): Slot {
  return {
    startTime: new Date(instant).toISOString(),
    endTime: new Date(instant + 3_600_000).toISOString(),
    mentorProfileIds: ["m1"],
  };
}

describe("availability", () => {
  it("counts the coming seven days, and what has passed no more", () => {
    const slots = [slot(NOW - 1), slot(NOW + 1), slot(NOW + 6 * DAY_MS), slot(NOW + 8 * DAY_MS)];
    expect(availabilityOf(stateOf({ slots }), NOW)).toMatchObject({ next: NOW + 1, inWeek: 2 });
  });

  it("does not count a week that is not known", () => {
    const known = availabilityOf(stateOf({ slots: [slot(NOW + 1)], to: NOW + DAY_MS }), NOW);
    expect(known).toMatchObject({ next: NOW + 1, inWeek: null });
  });

  it("is unknown while free times are loaded or could not be", () => {
    expect(availabilityOf(stateOf({ isLoading: true }), NOW)).toBeNull();
    expect(availabilityOf(stateOf({ error: new ApiError(503, "unavailable") }), NOW)).toBeNull();
    expect(availabilityOf(stateOf({ to: 0 }), NOW)).toBeNull();
  });
});

describe("near times", () => {
  it("has words for today and tomorrow, in the visitor's zone", () => {
    expect(nearTime(NOW, NOW, "en-GB", "Europe/Berlin")).toBe("today, 11:00");
    expect(nearTime(NOW + DAY_MS, NOW, "de", "Europe/Berlin")).toBe("morgen, 11:00");
    // Half past eleven in the evening in Berlin is tomorrow in Tokyo.
    expect(nearTime(Date.parse("2030-05-04T21:30:00Z"), NOW, "en-GB", "Asia/Tokyo")).toBe("tomorrow, 06:30");
  });

  it("has the date otherwise", () => {
    expect(nearTime(NOW + 5 * DAY_MS, NOW, "en-GB", "Europe/Berlin")).toContain("9 May");
  });
});
