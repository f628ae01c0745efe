// @vitest-environment node
import { describe, expect, it } from "vitest";
import { NO_SERIES, mistakeOf, occurrencesOf, recurrenceOf, type SeriesFields } from "./recurrence.js";

const BERLIN = "Europe/Berlin";

function weekly(change: Partial<SeriesFields> = {}): SeriesFields {
  return { ...NO_SERIES, everyWeeks: 1, count: 3, ...change };
}

function startsOf(fields: SeriesFields, first: string, zone = BERLIN): string[] {
  return occurrencesOf(fields, Date.parse(first), zone).map(({ start }) => new Date(start).toISOString());
}

describe("dates of a series", () => {
  it("keeps the wall-clock time when the clocks go back", () => {
    expect(startsOf(weekly(), "2026-10-19T15:00:00Z")).toEqual([
      "2026-10-19T15:00:00.000Z",
      "2026-10-26T16:00:00.000Z",
      "2026-11-02T16:00:00.000Z",
    ]);
  });

  it("keeps the wall-clock time when the clocks go forward", () => {
    expect(startsOf(weekly({ count: 2 }), "2027-03-22T16:00:00Z")[1]).toBe("2027-03-29T15:00:00.000Z");
    expect(startsOf(weekly({ count: 2 }), "2026-03-04T14:00:00Z", "America/New_York")[1]).toBe("2026-03-11T13:00:00.000Z");
  });

  it("knows a time that the clocks skip", () => {
    const [, skipped] = occurrencesOf(weekly({ count: 2 }), Date.parse("2027-03-21T01:30:00Z"), BERLIN);
    expect(skipped).toEqual({ start: Date.parse("2027-03-28T01:30:00Z"), exists: false });
  });

  it("means the first of a time that comes twice", () => {
    expect(startsOf(weekly({ count: 2 }), "2026-10-18T00:30:00Z")[1]).toBe("2026-10-25T00:30:00.000Z");
  });

  it("ends with the last date, which is included", () => {
    const until = (day: string): number => startsOf(weekly({ ends: "until", until: day }), "2030-05-04T09:00:00Z").length;
    expect(until("2030-05-18")).toBe(3);
    expect(until("2030-05-17")).toBe(2);
  });

  it("has so many weeks between them", () => {
    expect(startsOf(weekly({ everyWeeks: 4, count: 2 }), "2030-05-04T09:00:00Z")[1]).toBe("2030-06-01T09:00:00.000Z");
  });
});

describe("fields of a series", () => {
  const first = Date.parse("2030-05-04T09:00:00Z");

  it("says what is wrong with them", () => {
    expect(mistakeOf(weekly({ count: 52 }), first, BERLIN)).toBeNull();
    expect(mistakeOf(weekly({ count: 53 }), first, BERLIN)).toBe("badCount");
    expect(mistakeOf(weekly({ count: NaN }), first, BERLIN)).toBe("badCount");
    expect(mistakeOf(weekly({ ends: "until", until: "2030-05-04" }), first, BERLIN)).toBe("tooFew");
    expect(mistakeOf(weekly({ ends: "until", until: "2032-05-04" }), first, BERLIN)).toBe("tooMany");
    expect(mistakeOf(weekly({ ends: "until", until: "" }), first, BERLIN)).toBe("tooFew");
    expect(mistakeOf({ ...NO_SERIES, count: 0 }, first, BERLIN)).toBeNull();
  });

  it("become the request's recurrence", () => {
    expect(recurrenceOf(NO_SERIES)).toBeNull();
    expect(recurrenceOf(weekly())).toEqual({ count: 3, everyWeeks: 1, onConflict: "skip" });
    expect(recurrenceOf(weekly({ ends: "until", until: "2030-06-01", skip: false }))).toEqual({
      until: "2030-06-01",
      everyWeeks: 1,
      onConflict: "fail",
    });
  });
});
