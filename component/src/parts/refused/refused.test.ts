import { describe, expect, it } from "vitest";
import type { RefusalReason, RefusedSlot, Slot } from "../../api/types.js";
import { sourceOf } from "../../booking/calendar/read.js";
import type { PartContext } from "../../booking/contracts.js";
import { RefusedTimes, rangesOf } from "./refused.js";
import { initialState } from "../../booking/state.js";
import { extrasEn } from "../../i18n/enhanced/extras-en.js";
import type { ExtrasWords } from "../../i18n/enhanced/words.js";
import { MENTOR, offeringApi, refusal, startFlow } from "../../../tests/fake-api.js";

function at(time: string): string {
  return `2030-05-04T${time}:00Z`;
}

function refused(time: string, reason: RefusalReason, mentorProfileId = "m1"): RefusedSlot {
  return { startTime: at(time), endTime: at(time), mentorProfileId, reason };
}

function free(time: string, mentor = "m1"): Slot {
  return { startTime: at(time), endTime: at(time), mentorProfileIds: [mentor] };
}

function shown(items: Slot[], others: RefusedSlot[], mentorId: string | null = null): string[] {
  return rangesOf({ durationMinutes: 60, items, refused: others }, mentorId).map(
    ({ from, to, reason }) => `${new Date(from).toISOString().slice(11, 16)}-${new Date(to).toISOString().slice(11, 16)} ${reason}`,
  );
}

describe("refused times", () => {
  it("puts times in a row together, as long as the reason is the same", () => {
    const others = [refused("08:00", "outside_hours"), refused("08:30", "outside_hours"), refused("09:00", "busy")];
    expect(shown([], others)).toEqual(["08:00-08:30 outside_hours", "09:00-09:00 busy"]);
  });

  it("does not join what a free time parts", () => {
    expect(shown([free("09:30")], [refused("09:00", "busy"), refused("10:00", "busy")])).toEqual([
      "09:00-09:00 busy",
      "10:00-10:00 busy",
    ]);
  });

  it("leaves out what another mentor offers, unless one is chosen", () => {
    const others = [refused("09:00", "busy", "m2")];
    expect(shown([free("09:00")], others)).toEqual([]);
    expect(shown([free("09:00")], others, "m2")).toEqual(["09:00-09:00 busy"]);
  });

  it("tells of several mentors what comes closest to free", () => {
    expect(shown([], [refused("09:00", "outside_hours", "m1"), refused("09:00", "busy", "m2")])).toEqual(["09:00-09:00 busy"]);
  });
});

it("are read of the mentor whom a listing alone names", () => {
  const state = { ...initialState("UTC", "2030-05-01"), offers: [{ mentor: MENTOR, listings: [] }] };
  expect(sourceOf(state)?.path).toBe("/mentors/m1/slots");
  expect(sourceOf({ ...state, course: { id: "c1", title: "", description: null, active: true, externalId: null, metadata: null, createdAt: at("00:00") } })?.path).toBe("/courses/c1/slots");
});

it("are read again by people who look again after a failure", async () => {
  const api = offeringApi();
  const { context, end } = await startFlow();
  api.on("GET /mentors/m1/slots", refusal(404, "not_found"));
  const element = { renderRoot: { adoptedStyleSheets: [] }, requestUpdate: () => undefined };
  const part = new RefusedTimes({ ...context, element } as unknown as PartContext, () => extrasEn as ExtrasWords);
  await part.load("2030-05-04");
  expect(part.store.state.error).not.toBeNull();
  api.on("GET /mentors/m1/slots", { status: 200, body: { durationMinutes: 60, items: [], refused: [refused("09:00", "busy")] } });
  await part.load("2030-05-04");
  expect(part.store.state).toMatchObject({ error: null, ranges: [{ reason: "busy" }] });
  end();
});
