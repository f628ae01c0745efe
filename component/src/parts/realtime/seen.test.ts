// @vitest-environment node
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LastSeen, type Seen } from "./seen.js";
import type { Records } from "./storage.js";
import { at, contextOf, slot } from "../../../tests/realtime.js";

const DAY_MS = 86_400_000;
const kept = new Map<string, Seen>();
const records: Records<Seen> = {
  get: async (key) => kept.get(key),
  all: async () => [...kept.values()],
  put: async (key, record) => void kept.set(key, record),
  delete: async (key) => void kept.delete(key),
};

beforeEach(() => void vi.useFakeTimers({ now: at("06:00") }));
afterEach(() => vi.useRealTimers());

it("forgets what is older than two weeks, and more than ten pages", async () => {
  const { context, store, end } = contextOf([slot("09:00")]);
  const before = (days: number): void => void kept.set(`${days}`, { key: `${days}`, asOf: Date.now() - days * DAY_MS } as Seen);
  for (let days = 1; days <= 12; days++) before(days);
  before(15);
  new LastSeen(context, records, () => Date.now());
  store.update(({ calendar }) => ({ calendar: { ...calendar, slots: [slot("10:00")] } }));
  await vi.advanceTimersByTimeAsync(2_000);
  expect([...kept.keys()]).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", expect.stringContaining("https://api.example")]);
  end();
});
