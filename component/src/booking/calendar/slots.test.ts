// @vitest-environment node
import { describe, expect, it } from "vitest";
import { bookableSlots, firstWeekdayOf, partsOfDay, slotsByDay, weeksOf, withoutOverlap } from "./slots.js";
import { readSlots } from "./read.js";
import { slot } from "../../../tests/fake-api.js";

describe("slots by day", () => {
  it("are of the zone's days", () => {
    const slots = [slot("2030-05-03T22:00:00Z"), slot("2030-05-04T21:00:00Z"), slot("2030-05-04T22:00:00Z")];
    expect([...slotsByDay(slots, "2030-05-01", "Europe/Berlin").keys()]).toEqual(["2030-05-04", "2030-05-05"]);
    expect([...slotsByDay(slots, "2030-05-01", "UTC").keys()]).toEqual(["2030-05-03", "2030-05-04"]);
  });

  it("leave out other months", () => {
    const slots = [slot("2030-04-30T12:00:00Z"), slot("2030-05-31T21:30:00Z"), slot("2030-05-31T22:00:00Z")];
    expect([...slotsByDay(slots, "2030-05-01", "Europe/Berlin").values()]).toEqual([[slots[1]]]);
  });

  it("have both hours of the day on which the clocks go back", () => {
    const slots = [slot("2030-10-27T00:30:00Z"), slot("2030-10-27T01:30:00Z")];
    const days = slotsByDay(slots, "2030-10-01", "Europe/Berlin");
    expect(days.get("2030-10-27")).toHaveLength(2);
    const [[part, labelled] = []] = partsOfDay(slots, "en-US", "Europe/Berlin");
    expect(part).toBe("morning");
    expect(labelled?.map(({ label }) => label)).toEqual([expect.stringMatching(/^2:30.AM GMT\+2$/), expect.stringMatching(/^2:30.AM GMT\+1$/)]);
  });

  it("have a time with its offset where it comes twice, and one of both is free", () => {
    const [[, labelled] = []] = partsOfDay([slot("2030-10-27T01:30:00Z"), slot("2030-10-27T02:30:00Z")], "en-US", "Europe/Berlin");
    expect(labelled?.map(({ label }) => label)).toEqual([expect.stringMatching(/^2:30.AM GMT\+1$/), expect.stringMatching(/^3:30.AM$/)]);
  });

  it("have no time that the clocks skip", () => {
    const slots = [slot("2030-03-31T00:30:00Z"), slot("2030-03-31T01:00:00Z")];
    const labels = partsOfDay(slots, "en-US", "Europe/Berlin").flatMap(([, each]) => each.map(({ label }) => label));
    expect(labels).toEqual([expect.stringMatching(/^1:30.AM$/), expect.stringMatching(/^3:00.AM$/)]);
  });
});

it("stand in the weeks of the locale", () => {
  expect(weeksOf("2030-05-01", firstWeekdayOf("en-US"))[0]).toEqual([
    ...[null, null, null],
    ...["2030-05-01", "2030-05-02", "2030-05-03", "2030-05-04"],
  ]);
  expect(weeksOf("2030-05-01", 1)[0]).toEqual([
    ...[null, null],
    ...["2030-05-01", "2030-05-02", "2030-05-03", "2030-05-04", "2030-05-05"],
  ]);
  expect(weeksOf("2030-05-01", 1).flat()).toHaveLength(35);
});

describe("a stretch of time", () => {
  const DAY_MS = 86_400_000;
  const START = Date.parse("2030-05-04T00:00:00Z");
  const dayOf = (instant: string): number => (Date.parse(instant) - START) / DAY_MS;

  it("is read on from where an answer ends", async () => {
    const asked: [number, number][] = [];
    const found = await readSlots(START, START + 5 * DAY_MS, ({ from, to }) => {
      asked.push([dayOf(from), dayOf(to)]);
      const next = Date.parse(from) + 2 * DAY_MS;
      const more = next < Date.parse(to) ? { nextFrom: new Date(next).toISOString() } : {};
      return Promise.resolve({ durationMinutes: 60, items: [slot(from)], ...more });
    });
    expect(asked).toEqual([[0, 5], [2, 5], [4, 5]]);
    expect(found.map(({ startTime }) => dayOf(startTime))).toEqual([0, 2, 4]);
  });

  it("is read in spans that the API takes", async () => {
    const asked: [number, number][] = [];
    await readSlots(START, START + 100 * DAY_MS, ({ from, to }) => {
      asked.push([dayOf(from), dayOf(to)]);
      return Promise.resolve({ durationMinutes: 60, items: [] });
    });
    expect(asked).toEqual([[0, 92], [92, 100]]);
  });
});

describe("what can be booked", () => {
  it("lies in the future, with the wanted mentor", () => {
    const slots = [slot("2030-05-04T09:00:00Z"), slot("2030-05-04T10:00:00Z", 60, ["m2"]), slot("2030-05-04T11:00:00Z")];
    expect(bookableSlots(slots, "m1", Date.parse("2030-05-04T09:00:00Z"))).toEqual([slots[2]]);
    expect(bookableSlots(slots, null, 0)).toHaveLength(3);
  });

  it("does not overlap what is taken, but for other mentors", () => {
    const slots = [slot("2030-05-04T09:00:00Z"), slot("2030-05-04T09:30:00Z", 60, ["m1", "m2"]), slot("2030-05-04T10:00:00Z")];
    const left = withoutOverlap(slots, "2030-05-04T09:00:00Z", "2030-05-04T10:00:00Z", "m1");
    expect(left.map((each) => [each.startTime, each.mentorProfileIds])).toEqual([
      ["2030-05-04T09:30:00Z", ["m2"]],
      ["2030-05-04T10:00:00Z", ["m1"]],
    ]);
  });
});
