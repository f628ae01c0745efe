// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listing, Slot } from "../../api/types.js";
import type { AvailabilityChange } from "./hub.js";
import { LiveCalendar } from "./live-calendar.js";
import { at, contextOf, MENTOR, slot, times } from "../../../tests/realtime.js";

const PATH = `/mentors/${MENTOR}/slots`;
const RULES = `/mentors/${MENTOR}/booking-rules`;
const busy = (start: string, end: string): AvailabilityChange => ({ kind: "busy", start: at(start), end: at(end) });
const free = (start: string, end: string): AvailabilityChange => ({ kind: "free", start: at(start), end: at(end) });

describe("the live calendar", () => {
  let live: LiveCalendar;
  let frames: (() => void)[] = [];
  let end: () => void;

  function make(slots: Slot[], answers = {}, listing: Partial<Listing> = {}) {
    const made = contextOf(slots, { [RULES]: { maxPerDay: null, maxPerWeek: null }, ...answers }, listing);
    end = made.end;
    live = new LiveCalendar(made.context, (work) => frames.push(work));
    return made;
  }
  const frame = (): void => frames.splice(0).forEach((work) => work());
  const take = (...changes: AvailabilityChange[]): void => changes.forEach((change) => live.take(MENTOR, change));

  beforeEach(() => {
    vi.useFakeTimers({ now: at("06:00") });
    frames = [];
  });

  afterEach(() => {
    end();
    vi.useRealTimers();
  });

  it("takes away what a busy time overlaps, and brings it back", () => {
    const { store, get } = make(["09:00", "09:30", "10:00", "10:30", "11:00"].map((each) => slot(each)));
    take(busy("10:00", "11:00"));
    frame();
    expect(times(store).filter((_, index) => !live.markOf(store.state.calendar.slots[index] as Slot))).toEqual(["09:00", "11:00"]);
    vi.advanceTimersByTime(4_100);
    frame();
    expect(times(store)).toEqual(["09:00", "11:00"]);
    take(free("10:00", "11:00"));
    frame();
    expect(times(store)).toEqual(["09:00", "09:30", "10:00", "10:30", "11:00"]);
    expect(live.markOf(slot("10:00"))).toBe("freed");
    expect(get.mock.calls.filter(([path]) => path === PATH)).toEqual([]);
  });

  it("keeps buffers before and after free", () => {
    const listing = { bufferBeforeMinutes: 15, bufferMinutes: 30 };
    const { store } = make(["08:00", "08:30", "09:00", "11:00", "11:15", "11:30"].map((each) => slot(each)), {}, listing);
    store.update({ day: null });
    take(busy("10:00", "11:00"));
    frame();
    expect(times(store)).toEqual(["08:00", "08:30", "11:15", "11:30"]);
  });

  it("marks what is taken on the shown day for a while", () => {
    const { store } = make([slot("09:00"), slot("10:00")]);
    const taken = vi.fn();
    live.onTaken = taken;
    take(busy("10:00", "11:00"));
    frame();
    expect(times(store)).toEqual(["09:00", "10:00"]);
    expect(live.markOf(slot("10:00"))).toBe("taken");
    expect(taken).toHaveBeenCalledWith([expect.objectContaining({ startTime: slot("10:00").startTime })]);
    vi.advanceTimersByTime(4_100);
    frame();
    expect(times(store)).toEqual(["09:00"]);
  });

  it("changes the calendar once a frame, however much comes", () => {
    const { store } = make(["09:00", "10:00", "11:00", "12:00"].map((each) => slot(each)));
    store.update({ day: null });
    frame();
    let updates = 0;
    store.subscribe(() => updates++);
    for (let index = 0; index < 500; index++) take(busy("10:00", "11:00"), free("10:00", "11:00"));
    take(busy("09:00", "10:00"));
    expect(frames).toHaveLength(1);
    frame();
    expect(updates).toBe(1);
    expect(times(store)).toEqual(["10:00", "11:00", "12:00"]);
  });

  it("reads what was busy before it looked, and only that", async () => {
    const { store, get } = make([slot("09:00"), slot("14:00")], { [PATH]: { items: [slot("11:00"), slot("11:30")] } });
    take({ kind: "snapshot", busy: [{ start: at("10:00"), end: at("13:00") }], isFirst: true });
    frame();
    take(free("10:00", "13:00"));
    frame();
    await vi.advanceTimersByTimeAsync(2_000);
    const [, query] = get.mock.calls.find(([path]) => path === PATH) ?? [];
    expect(query).toMatchObject({ from: "2030-05-04T09:00:00.000Z", to: "2030-05-04T13:00:00.000Z", durationMinutes: 60 });
    expect(times(store)).toEqual(["11:00", "11:30", "14:00"]);
  });

  it("reads everything again when hours have changed, and once for many changes", async () => {
    const { store, get } = make([slot("09:00")], { [PATH]: { items: [slot("15:00")] } });
    take({ kind: "hours" }, { kind: "hours" });
    frame();
    take({ kind: "hours" });
    frame();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(times(store)).toEqual(["15:00"]);
    expect(get).toHaveBeenCalledTimes(1);
  });

  it("reads a week again where the mentor has limits", async () => {
    const rules = { maxPerDay: 2, maxPerWeek: null };
    const { get } = make([slot("09:00")], { [RULES]: rules, [PATH]: { items: [] } });
    take(busy("20:00", "21:00"));
    frame();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(get.mock.calls.some(([path]) => path === PATH)).toBe(true);
  });

  it("leaves out starts that have become too soon", () => {
    const { store } = make([slot("08:00"), slot("10:00")], {}, { minNoticeMinutes: 90 });
    store.update({ day: null });
    vi.advanceTimersByTime(31 * 60_000);
    frame();
    expect(times(store)).toEqual(["10:00"]);
  });

  it("keeps a slot whose other mentor is free", () => {
    const { store } = make([slot("09:00", 60, [MENTOR, "other"])]);
    take(busy("09:00", "10:00"));
    frame();
    expect(store.state.calendar.slots[0]?.mentorProfileIds).toEqual(["other"]);
  });

  it("does not take away what this component holds", () => {
    const { store, flow } = make([slot("09:00"), slot("10:00")]);
    store.update({ slot: slot("10:00"), slotMentorId: MENTOR, hold: { kind: "requesting" } });
    take(busy("10:00", "11:00"));
    frame();
    expect(times(store)).toEqual(["09:00", "10:00"]);
    expect(flow.slotLost).not.toHaveBeenCalled();
  });

  it("offers what this person holds in another tab", async () => {
    const { store } = make([slot("09:00"), slot("10:00")], { [PATH]: { items: [slot("10:00")] } });
    take({ kind: "snapshot", busy: [{ start: at("10:00"), end: at("11:00") }], isFirst: true });
    frame();
    expect(times(store)).toEqual(["09:00", "10:00"]);
    await vi.advanceTimersByTimeAsync(2_000);
    frame();
    expect(times(store)).toEqual(["09:00", "10:00"]);
  });

  it("offers an own hold that it knew before the slots", () => {
    const { store } = make([]);
    take({ kind: "snapshot", busy: [{ start: at("10:00"), end: at("11:00") }], isFirst: true });
    frame();
    store.update({ calendar: { ...store.state.calendar, isLoading: true } });
    store.update({ calendar: { ...store.state.calendar, isLoading: false, slots: [slot("09:00"), slot("10:00")] } });
    frame();
    expect(times(store)).toEqual(["09:00", "10:00"]);
    expect(live.markOf(slot("10:00"))).toBeNull();
  });

  it("hides what was taken while it was read", async () => {
    const { store } = make([slot("09:00"), slot("10:00")], { [PATH]: { items: [] } });
    store.update({ day: null });
    take({ kind: "snapshot", busy: [{ start: at("10:00"), end: at("11:00") }], isFirst: true });
    frame();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(times(store)).toEqual(["09:00"]);
  });

  it("tells when the chosen slot is lost that is not held", () => {
    const { store, flow } = make([slot("09:00"), slot("10:00")]);
    store.update({ slot: slot("10:00"), slotMentorId: MENTOR, hold: { kind: "expired" } });
    take(busy("10:30", "11:00"));
    frame();
    expect(flow.slotLost).toHaveBeenCalledWith(expect.objectContaining({ code: "slot_taken" }));
  });

  it("reads hidden slots again after a further month was read", async () => {
    const { store } = make([slot("09:00"), slot("10:00")], { [PATH]: { items: [slot("09:00"), slot("10:00")] } });
    store.update({ day: null });
    take(busy("10:00", "11:00"));
    frame();
    const { calendar } = store.state;
    store.update({ calendar: { ...calendar, slots: [...calendar.slots, slot("12:00")] } });
    frame();
    take(free("10:00", "11:00"));
    frame();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(times(store)).toEqual(["09:00", "10:00", "12:00"]);
  });

  it("hides what was taken while a further month was read", () => {
    const { store } = make([slot("09:00"), slot("10:00")]);
    store.update({ day: null });
    store.update({ calendar: { ...store.state.calendar, isLoading: true } });
    const { calendar } = store.state;
    take(busy("10:00", "11:00"));
    frame();
    store.update({ calendar: { ...calendar, isLoading: false, slots: [...calendar.slots, slot("12:00")] } });
    frame();
    expect(times(store)).toEqual(["09:00", "12:00"]);
  });

  it("does not offer again what was taken just before a further month was read", () => {
    const { store } = make([slot("09:00"), slot("10:00")]);
    take(busy("10:00", "11:00"));
    frame();
    vi.advanceTimersByTime(1_000);
    store.update({ calendar: { ...store.state.calendar, isLoading: true } });
    vi.advanceTimersByTime(1_000);
    const { calendar } = store.state;
    store.update({ calendar: { ...calendar, isLoading: false, to: calendar.to + 86_400_000, slots: [...calendar.slots, slot("12:00")] } });
    vi.advanceTimersByTime(4_100);
    frame();
    expect(times(store)).toEqual(["09:00", "12:00"]);
  });

  describe("while an answer is on its way", () => {
    const ALL = [slot("09:00"), slot("10:00")];
    /** The calendar whose readings are answered by the test, in any order. */
    function asking() {
      const made = make(ALL);
      made.store.update({ day: null });
      const answers: ((slots: Slot[]) => Promise<unknown>)[] = [];
      made.get.mockImplementation((path) =>
        path === PATH
          ? new Promise((resolve) => answers.push((items) => (resolve({ items }), vi.advanceTimersByTimeAsync(0))))
          : Promise.resolve({ maxPerDay: null, maxPerWeek: null }),
      );
      return { ...made, answers };
    }

    it("reads what is freed, which the answer may lack", async () => {
      const { store, answers } = asking();
      take(busy("10:00", "11:00"), { kind: "hours" });
      frame();
      await vi.advanceTimersByTimeAsync(2_000);
      take(free("10:00", "11:00"));
      frame();
      await answers[0]?.([slot("09:00")]);
      expect(times(store)).toEqual(["09:00"]);
      await vi.advanceTimersByTimeAsync(7_000);
      await answers[1]?.(ALL);
      expect(times(store)).toEqual(["09:00", "10:00"]);
    });

    it("reads what is freed whose being taken came after the answer", async () => {
      const { store, answers } = asking();
      take({ kind: "hours" });
      frame();
      await vi.advanceTimersByTimeAsync(2_000);
      await answers[0]?.([slot("09:00")]);
      take(busy("10:00", "11:00"));
      frame();
      take(free("10:00", "11:00"));
      frame();
      await vi.advanceTimersByTimeAsync(7_000);
      await answers[1]?.(ALL);
      expect(times(store)).toEqual(["09:00", "10:00"]);
    });

    it("reads one after the other", async () => {
      const { answers } = asking();
      take({ kind: "hours" });
      frame();
      await vi.advanceTimersByTimeAsync(2_000);
      take({ kind: "hours" });
      frame();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(answers).toHaveLength(1);
      await answers[0]?.(ALL);
      await vi.advanceTimersByTimeAsync(7_000);
      expect(answers).toHaveLength(2);
    });

    it("reads again after a later reading of the booking, and not during it", async () => {
      const { store, answers } = asking();
      const read = (slots: Slot[]): void => store.update({ calendar: { ...store.state.calendar, isLoading: false, slots } });
      take({ kind: "hours" });
      frame();
      await vi.advanceTimersByTimeAsync(2_000);
      store.update({ calendar: { ...store.state.calendar, isLoading: true } });
      await answers[0]?.([]);
      await vi.advanceTimersByTimeAsync(10_000);
      expect([times(store), answers.length]).toEqual([["09:00", "10:00"], 1]);
      read([...ALL, slot("12:00")]);
      await vi.advanceTimersByTimeAsync(2_000);
      await answers[1]?.(ALL);
      expect(times(store)).toEqual(["09:00", "10:00"]);
    });
  });
});
