import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Client } from "../../api/client.js";
import { followMentor, type Subscription, type MentorChange } from "./hub.js";

const BUSY = { startTime: "2030-05-04T10:00:00Z", endTime: "2030-05-04T11:00:00Z" };
const INTERVAL = { start: Date.parse(BUSY.startTime), end: Date.parse(BUSY.endTime) };

describe("the streams of a page", () => {
  let bodies: ReadableStreamDefaultController<Uint8Array>[];
  let following: Subscription[];
  let changes: MentorChange[][];
  const fetch = vi.fn();
  const client = { base: "https://api.example", fetch } as unknown as Client;

  const follow = (mentorId = "mentor"): void => {
    const seen: MentorChange[] = [];
    changes.push(seen);
    following.push(followMentor(client, mentorId, { onChange: (change) => seen.push(change), onState: () => undefined }));
  };
  const write = async (text: string): Promise<void> => {
    bodies.at(-1)?.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(0);
  };
  const hide = (isHidden: boolean): void => {
    vi.spyOn(document, "hidden", "get").mockReturnValue(isHidden);
    document.dispatchEvent(new Event("visibilitychange"));
  };

  beforeEach(async () => {
    vi.useFakeTimers();
    [bodies, following, changes] = [[], [], []];
    fetch.mockReset().mockImplementation(
      async () => new Response(new ReadableStream<Uint8Array>({ start: (body) => void bodies.push(body) })),
    );
    follow();
    await vi.advanceTimersByTimeAsync(0);
  });

  afterEach(() => {
    for (const each of following) each.end();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("are one for each mentor, and a late follower begins with what is known", async () => {
    await write(`id: 1:1:\nevent: snapshot\ndata: ${JSON.stringify({ busy: [BUSY] })}\n\n`);
    await write(`id: 2.1\nevent: free\ndata: ${JSON.stringify(BUSY)}\n\n`);
    follow();
    await vi.advanceTimersByTimeAsync(0);
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(changes[0]).toEqual([{ kind: "snapshot", busy: [INTERVAL], isFirst: true }, { kind: "free", ...INTERVAL }]);
    expect(changes[1]).toEqual([{ kind: "snapshot", busy: [], isFirst: true }]);
    follow("another");
    await vi.advanceTimersByTimeAsync(0);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("name no token in their address, and end with the last follower", async () => {
    const [path, options, init] = fetch.mock.calls[0] as [string, { query: object }, { signal: AbortSignal }];
    expect([path, options.query]).toEqual(["/streams/availability", { mentorProfileId: "mentor" }]);
    follow();
    following[0]?.end();
    expect(init.signal.aborted).toBe(false);
    following[1]?.end();
    expect(init.signal.aborted).toBe(true);
  });

  it("tell of the seats of groups, and leave alone what they do not know", async () => {
    const seats = { groupSessionId: "g1", capacity: 2, seatsTaken: 2, seatsOffered: 0, full: true };
    await write(`id: 1.1\nevent: group\ndata: ${JSON.stringify(seats)}\n\n`);
    await write(`id: 1.2\nevent: something\ndata: {}\n\n`);
    expect(changes[0]).toEqual([{ kind: "seats", ...seats }]);
  });

  it("rest while the page is hidden for long, and go on by the last id", async () => {
    await write(`id: 7.1\nevent: hours\ndata: {}\n\n`);
    hide(true);
    await vi.advanceTimersByTimeAsync(20_000);
    hide(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetch).toHaveBeenCalledTimes(1);
    hide(true);
    await write(": hb\n\n");
    await vi.advanceTimersByTimeAsync(25_000);
    await write(": hb\n\n");
    await vi.advanceTimersByTimeAsync(25_000);
    await write(": hb\n\n");
    await vi.advanceTimersByTimeAsync(11_000);
    expect(following[0]?.state).toBe("paused");
    hide(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(fetch).toHaveBeenCalledTimes(2);
    const [, , init] = fetch.mock.calls[1] as [string, object, { headers: Record<string, string> }];
    expect(init.headers["Last-Event-ID"]).toBe("7.1");
  });
});
