import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api/errors.js";
import { BookingQueue, type QueuedBooking, type WithLock } from "./queue.js";
import type { Records } from "./storage.js";
import { at, contextOf, saved, slot } from "../../../tests/realtime.js";

const NETWORK = new ApiError(0, "network");

/** The storage and the locks that all tabs of a browser share. */
class Browser {
  readonly kept = new Map<string, QueuedBooking>();
  readonly records: Records<QueuedBooking> = {
    get: async (key) => structuredClone(this.kept.get(key)),
    all: async () => [...this.kept.values()],
    put: async (key, record) => void this.kept.set(key, structuredClone(record)),
    delete: async (key) => void this.kept.delete(key),
  };
  readonly #locks = new Map<string, Promise<void>>();
  readonly withLock: WithLock = async (name, work, signal) => {
    const before = this.#locks.get(name) ?? Promise.resolve();
    const own = before.then(async () => (signal.aborted ? undefined : work()));
    this.#locks.set(name, own);
    await own;
  };

  tab() {
    const made = contextOf([slot("10:00")]);
    return { ...made, queue: new BookingQueue(made.context, this.records, this.withLock) };
  }
}

describe("a booking that waits for a connection", () => {
  let browser: Browser;
  let tab: ReturnType<Browser["tab"]>;
  const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  const add = async (): Promise<boolean> => {
    const isQueued = tab.queue.add(saved("key"), NETWORK, false);
    tab.store.update({ slot: slot("10:00"), submission: { kind: "queued" } });
    await settled();
    return isQueued;
  };

  beforeEach(() => {
    vi.useFakeTimers({ now: at("06:00") });
    browser = new Browser();
    tab = browser.tab();
  });

  afterEach(() => {
    tab.end();
    vi.useRealTimers();
  });

  it("is kept for all tabs, without any token", async () => {
    expect(await add()).toBe(true);
    expect(JSON.stringify([...browser.kept])).not.toContain("token");
    expect(tab.flow.forgetSaved).toHaveBeenCalled();
  });

  it("is not kept where a server has refused", () => {
    expect(tab.queue.add(saved("key"), new ApiError(503, "unavailable"), true)).toBe(false);
    // A file of the component that is gone does not come with the connection.
    expect(tab.queue.add(saved("key"), new ApiError(0, "part"), true)).toBe(false);
  });

  it("is sent when there is a connection, and forgotten once answered", async () => {
    await add();
    await tab.queue.send();
    expect(tab.flow.sendQueued).toHaveBeenCalledTimes(1);
    tab.store.update({ submission: { kind: "refused", error: new ApiError(409, "slot_taken") } });
    await settled();
    expect(browser.kept.size).toBe(0);
    expect(tab.queue.store.state.booking).toBeNull();
  });

  it("is tried again with longer pauses", async () => {
    await add();
    await vi.advanceTimersByTimeAsync(7_501);
    expect(tab.flow.sendQueued).toHaveBeenCalledTimes(1);
    tab.queue.add(saved("key"), new ApiError(503, "unavailable"), true);
    await vi.advanceTimersByTimeAsync(15_001);
    expect(tab.flow.sendQueued).toHaveBeenCalledTimes(2);
    expect(tab.queue.store.state.booking?.wasSent).toBe(true);
  });

  it("can be withdrawn", async () => {
    await add();
    tab.queue.withdraw();
    await settled();
    expect(browser.kept.size).toBe(0);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
  });

  it("is sent by one tab of two, and by the other after the first is gone", async () => {
    await add();
    const other = browser.tab();
    await other.queue.adopt();
    await settled();
    expect(other.flow.restoreQueued).not.toHaveBeenCalled();
    tab.end();
    await settled();
    expect(other.flow.restoreQueued).toHaveBeenCalledTimes(1);
    await other.queue.send();
    expect(other.flow.sendQueued).toHaveBeenCalledTimes(1);
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
    other.end();
  });

  it("is not sent by the second tab after the first had an answer", async () => {
    await add();
    const other = browser.tab();
    await other.queue.adopt();
    tab.store.update({ submission: { kind: "none" } });
    await settled();
    expect(other.flow.restoreQueued).not.toHaveBeenCalled();
    other.end();
  });

  it("waits until a tab that takes it over shows nothing else", async () => {
    await add();
    const other = browser.tab();
    other.store.update({ slot: slot("12:00") });
    await other.queue.adopt();
    tab.end();
    await settled();
    expect(other.flow.restoreQueued).not.toHaveBeenCalled();
    other.store.update({ slot: null });
    await settled();
    expect(other.flow.restoreQueued).toHaveBeenCalledTimes(1);
    other.end();
  });

  it("is never sent as another person", async () => {
    await add();
    tab.end();
    const other = browser.tab();
    other.tokens.subject = "somebody else";
    await other.queue.adopt();
    await settled();
    expect(other.flow.restoreQueued).not.toHaveBeenCalled();
    expect(browser.kept.size).toBe(1);
    other.end();
  });

  it("is not sent by a token of another person who signed in meanwhile", async () => {
    await add();
    tab.tokens.get.mockImplementation(async () => (tab.tokens.subject = "somebody else"));
    await tab.queue.send();
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
  });

  it("waits for a person who has signed out, and asks once", async () => {
    await add();
    tab.tokens.get.mockRejectedValue(new ApiError(401, "unauthenticated"));
    await tab.queue.send();
    await tab.queue.send();
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
    expect(tab.queue.store.state.blocked).toBe("signed-out");
    expect(tab.emit.mock.calls).toEqual([["signin", {}]]);
    tab.tokens.get.mockResolvedValue("token");
    await tab.queue.send();
    expect(tab.flow.sendQueued).toHaveBeenCalledOnce();
    expect(tab.queue.store.state.blocked).toBeNull();
  });

  it("says that another person is signed in", async () => {
    await add();
    tab.tokens.get.mockImplementation(async () => (tab.tokens.subject = "somebody else"));
    await tab.queue.send();
    expect(tab.queue.store.state.blocked).toBe("other-person");
  });

  it("waits without a word where the token cannot be had for want of a connection", async () => {
    await add();
    tab.tokens.get.mockRejectedValue(NETWORK);
    await tab.queue.send();
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
    expect(tab.queue.store.state.blocked).toBeNull();
  });

  it("is sent when a person wants it, although the browser says that it is offline", async () => {
    await add();
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    await tab.queue.send();
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
    await tab.queue.send(true);
    expect(tab.flow.sendQueued.mock.calls).toEqual([[true]]);
    vi.restoreAllMocks();
  });

  it("stays in its tab where the storage is full, and says so", async () => {
    browser.records.put = async () => Promise.reject(new DOMException("Full.", "QuotaExceededError"));
    await add();
    expect(tab.queue.store.state.isKept).toBe(false);
    expect(tab.flow.forgetSaved).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(7_501);
    expect(tab.flow.sendQueued).toHaveBeenCalledOnce();
  });

  it("is sent although the storage never answers", async () => {
    browser.records.put = () => new Promise(() => undefined);
    await add();
    await vi.advanceTimersByTimeAsync(7_501);
    expect(tab.flow.sendQueued).toHaveBeenCalledOnce();
  });

  it("is left by a tab that is busy to one that is not", async () => {
    await add();
    const [busy, idle] = [browser.tab(), browser.tab()];
    busy.store.update({ slot: slot("12:00") });
    await busy.queue.adopt();
    await idle.queue.adopt();
    tab.end();
    await settled();
    expect(busy.flow.restoreQueued).not.toHaveBeenCalled();
    expect(idle.flow.restoreQueued).toHaveBeenCalledOnce();
    for (const each of [busy, idle]) each.end();
  });

  it("takes the place of nothing that was chosen while another tab had it", async () => {
    await add();
    const other = browser.tab();
    await other.queue.adopt();
    other.store.update({ slot: slot("12:00") });
    tab.end();
    await settled();
    expect(other.flow.restoreQueued).not.toHaveBeenCalled();
    other.store.update({ slot: null });
    await settled();
    expect(other.flow.restoreQueued).toHaveBeenCalledOnce();
    other.end();
  });

  it("that was not sent in time is shown to no one else", async () => {
    await add();
    tab.end();
    await settled();
    vi.setSystemTime(at("10:00"));
    const other = browser.tab();
    const expired = vi.fn();
    other.queue.onExpired = expired;
    other.tokens.subject = "somebody else";
    await other.queue.adopt();
    await settled();
    expect(expired).not.toHaveBeenCalled();
    expect(browser.kept.size).toBe(0);
    other.end();
  });

  it("stays in its tab where the person is not known", async () => {
    tab.tokens.subject = null;
    await add();
    expect(browser.kept.size).toBe(0);
    expect(tab.flow.forgetSaved).not.toHaveBeenCalled();
  });

  it("is not sent after its time has passed", async () => {
    await add();
    const expired = vi.fn();
    tab.queue.onExpired = expired;
    vi.setSystemTime(at("10:00"));
    await tab.queue.send();
    await settled();
    expect(tab.flow.sendQueued).not.toHaveBeenCalled();
    expect(expired).toHaveBeenCalledTimes(1);
    expect(browser.kept.size).toBe(0);
  });
});
