// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { GroupSession } from "../../api/types.js";
import type { PartContext } from "../../booking/contracts.js";
import { LiveGroups } from "./live-groups.js";
import { extrasEn } from "../../i18n/enhanced/extras-en.js";
import { Store } from "../../core/store.js";
import { booking } from "../../../tests/session-fixtures.js";

const GROUP: GroupSession = {
  ...booking({ id: "g1", kind: "group", title: "Algebra" }),
  templateId: "t1",
  date: "2030-05-04",
  capacity: 2,
  seatsTaken: 1,
  seatsOffered: 0,
  full: false,
  cancellationPolicy: null,
  cancelledAt: null,
  joined: false,
  waitlistPosition: null,
};
const WAITING = { ...GROUP, seatsTaken: 2, full: true, waitlistPosition: 1 };
const seats = (seatsTaken: number, seatsOffered: number, groupSessionId = "g1") =>
  ({ kind: "seats", groupSessionId, capacity: 2, seatsTaken, seatsOffered, full: seatsTaken + seatsOffered >= 2 }) as const;

describe("groups that are followed", () => {
  const get = vi.fn();
  const announce = vi.fn();
  const readAgain = vi.fn();
  let store: Store<{ groups: GroupSession[] | null; busy: { id: string } | null }>;
  let live: LiveGroups;
  let groups: { isAsked: boolean } & Record<string, unknown>;
  const shown = (): GroupSession | undefined => store.state.groups?.[0];

  beforeEach(() => {
    for (const each of [get, announce, readAgain]) each.mockReset();
    store = new Store<typeof store.state>({ groups: [GROUP], busy: null });
    groups = { store, isAsked: true, readAgain, words: () => extrasEn };
    const element = { updateComplete: Promise.resolve(true), shadowRoot: null };
    live = new LiveGroups({ client: { get }, announce, element, enhanced: { extras: { groups } }, signal: new AbortController().signal } as unknown as PartContext);
  });

  it("show how many places there are, and are not read for that", () => {
    live.take(seats(2, 0));
    expect(shown()).toMatchObject({ seatsTaken: 2, seatsOffered: 0, full: true, title: "Algebra" });
    live.take(seats(1, 0, "another"));
    expect(shown()?.seatsTaken).toBe(2);
    expect(get).not.toHaveBeenCalled();
  });

  it("tell who waits that a place is kept, once, and that the offer has ended", async () => {
    store.update({ groups: [WAITING] });
    get.mockResolvedValue({ ...WAITING, seatsTaken: 1, seatsOffered: 1 });
    live.take(seats(1, 1));
    live.take(seats(1, 1));
    await vi.waitFor(() => expect(announce.mock.calls).toEqual([["Algebra: A place is kept for you"]]));
    get.mockResolvedValue({ ...WAITING, seatsTaken: 1, full: false, waitlistPosition: null });
    live.take(seats(1, 0));
    await vi.waitFor(() => expect(announce).toHaveBeenLastCalledWith("Algebra: You are not on the waiting list any more."));
    expect(shown()).toMatchObject({ waitlistPosition: null, full: false });
  });

  it("leave to the part what the visitor does there", () => {
    store.update({ groups: [WAITING], busy: { id: "g1" } });
    live.take(seats(1, 1));
    expect(get).not.toHaveBeenCalled();
  });

  it("are read again where one of them was cancelled, and no group otherwise", () => {
    const [start, end] = [Date.parse(GROUP.startTime), Date.parse(GROUP.endTime)];
    live.freed("another", { start, end });
    live.freed(GROUP.mentorProfileId, { start: end, end: end + 1 });
    expect(readAgain).not.toHaveBeenCalled();
    live.freed(GROUP.mentorProfileId, { start: start - 1, end });
    expect(readAgain).toHaveBeenCalledTimes(1);
  });

  it("are read again where the first reading failed, and not for visitors, who may not read them", () => {
    store.update({ groups: null });
    live.readAgain();
    expect(readAgain).toHaveBeenCalledTimes(1);
    groups.isAsked = false;
    live.readAgain();
    expect(readAgain).toHaveBeenCalledTimes(1);
  });
});
