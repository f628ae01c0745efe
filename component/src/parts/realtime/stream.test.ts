import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api/errors.js";
import { EventStream, type StreamState } from "./stream.js";

/** A server whose answers are written by the test. */
class Server {
  readonly opened: Record<string, string>[] = [];
  readonly states: StreamState[] = [];
  readonly events: string[] = [];
  refuse: ApiError | null = null;
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;
  readonly stream = new EventStream(
    {
      open: async (headers) => {
        this.opened.push(headers);
        if (this.refuse) throw this.refuse;
        return new Response(new ReadableStream<Uint8Array>({ start: (body) => void (this.#body = body) }));
      },
      onEvent: (event) => this.events.push(event.data),
      onState: (state) => this.states.push(state),
    },
    () => 0,
  );

  async write(text: string): Promise<void> {
    this.#body?.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(0);
  }

  async close(): Promise<void> {
    this.#body?.close();
    await vi.advanceTimersByTimeAsync(0);
  }
}

describe("a stream", () => {
  let server: Server;

  beforeEach(async () => {
    vi.useFakeTimers();
    server = new Server();
    void server.stream.run();
    await vi.advanceTimersByTimeAsync(0);
  });

  afterEach(() => {
    server.stream.end();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("comes back after the server's pause with the last id", async () => {
    await server.write("retry: 3000\n\nid: 5.2\ndata: a\n\n");
    await server.close();
    expect(server.stream.state).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(2_999);
    expect(server.opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.opened[1]).toMatchObject({ "Last-Event-ID": "5.2" });
    expect(server.stream.state).toBe("live");
    expect(server.events).toEqual(["a"]);
  });

  it("waits longer after each failure", async () => {
    server.refuse = new ApiError(0, "network");
    await server.close();
    const pauses: number[] = [];
    for (let tries = 1; tries <= 7; tries++) {
      const begun = Date.now();
      while (server.opened.length === tries) await vi.advanceTimersByTimeAsync(100);
      pauses.push(Date.now() - begun);
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("that is cut soon after its first event is opened with longer pauses, until one stays open", async () => {
    const pauses: number[] = [];
    const cut = async (): Promise<void> => {
      const opened = server.opened.length;
      const begun = Date.now();
      await server.close();
      while (server.opened.length === opened) await vi.advanceTimersByTimeAsync(100);
      pauses.push(Date.now() - begun);
    };
    for (let times = 1; times <= 4; times++) {
      await server.write("event: snapshot\ndata: {}\n\n");
      await cut();
    }
    for (let beats = 1; beats <= 5; beats++) {
      await vi.advanceTimersByTimeAsync(15_000);
      await server.write(": hb\n\n");
    }
    await cut();
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 2_000]);
  });

  it("is dead after half a minute of silence", async () => {
    await vi.advanceTimersByTimeAsync(20_000);
    await server.write(": hb\n\n");
    await vi.advanceTimersByTimeAsync(29_000);
    expect(server.stream.state).toBe("live");
    await vi.advanceTimersByTimeAsync(1_001);
    expect(server.stream.state).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.opened).toHaveLength(2);
  });

  it("waits as long as a refusal asks", async () => {
    server.refuse = new ApiError(429, "rate_limited", "", {}, 20);
    await server.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await vi.advanceTimersByTimeAsync(19_999);
    expect(server.opened).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.opened).toHaveLength(3);
  });

  it("stops where there is no such stream, or no one is signed in", async () => {
    for (const [status, state] of [[404, "refused"], [401, "signed-out"]] as const) {
      server.refuse = new ApiError(status, "x");
      server.stream.drop();
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(server.stream.state).toBe(state);
      const { length } = server.opened;
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(server.opened).toHaveLength(length);
      server.refuse = null;
      server.stream.retryNow();
      await vi.advanceTimersByTimeAsync(0);
      expect(server.stream.state).toBe("live");
    }
  });

  it("is offline without a network, and back at once with it", async () => {
    const online = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    server.refuse = new ApiError(0, "network");
    server.stream.drop();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.stream.state).toBe("offline");
    online.mockReturnValue(true);
    server.refuse = null;
    server.stream.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.stream.state).toBe("live");
  });

  it("rests while it is paused, and resumes by the last id", async () => {
    await server.write("id: 9.1\ndata: a\n\n");
    server.stream.pause();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.opened).toHaveLength(1);
    expect(server.stream.state).toBe("paused");
    server.stream.resume();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.opened[1]).toMatchObject({ "Last-Event-ID": "9.1" });
    expect(server.stream.health).toMatchObject({ disconnectedSeconds: 0, reconnections: 1 });
  });
});
