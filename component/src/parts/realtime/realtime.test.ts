import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Realtime } from "./realtime.js";
import type { QueuedBooking } from "./queue.js";
import { Telemetry } from "../../core/telemetry.js";
import { en } from "../../i18n/language.js";
import { at, contextOf, saved, slot } from "../../../tests/realtime.js";

/** The storage of all tabs. */
const kept = vi.hoisted(() => new Map<string, unknown>());
vi.mock("./storage.js", () => ({
  recordsOf: () => ({
    get: async (key: string) => kept.get(key),
    all: async () => [...kept.values()],
    put: async (key: string, record: unknown) => void kept.set(key, record),
    delete: async (key: string) => void kept.delete(key),
  }),
}));

beforeEach(() => void vi.useFakeTimers({ now: at("06:00") }));
afterEach(() => vi.useRealTimers());

it.each([
  ["is looked at", () => document.dispatchEvent(new Event("visibilitychange"))],
  ["has been open for a minute", () => vi.advanceTimersByTime(60_000)],
])("a tab takes over what one that is closed has left, when it %s", async (_, happen) => {
  kept.clear();
  const { context, flow, end } = contextOf([slot("10:00")]);
  const element = { renderRoot: { adoptedStyleSheets: [] }, addController: vi.fn(), removeController: vi.fn(), requestUpdate: vi.fn() };
  new Realtime({ ...context, element, telemetry: new Telemetry(), words: en } as never);
  await vi.advanceTimersByTimeAsync(0);
  const { client, options } = context;
  const subject = [client.base, options.mentorId, options.courseId, options.listingId].join(" ");
  const booking: QueuedBooking = { subject, userId: "user", queuedAt: Date.now(), wasSent: false, saved: saved("key") };
  kept.set("key", booking);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(flow.restoreQueued).not.toHaveBeenCalled();
  happen();
  await vi.advanceTimersByTimeAsync(0);
  expect(flow.restoreQueued).toHaveBeenCalledExactlyOnceWith(booking.saved);
  end();
});
