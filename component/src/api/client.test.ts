import { describe, expect, it, vi } from "vitest";
import { delay } from "./client.js";
import { claimsOf } from "./token.js";
import { FakeApi, NOW, beginAtNow, makeClient, refusal } from "../../tests/fake-api.js";

beginAtNow();

describe("a request", () => {
  it("has its token renewed once", async () => {
    let number = 0;
    const client = makeClient({ token: () => `t${++number}` });
    const api = new FakeApi().on("GET /me", ({ headers }) =>
      headers.get("Authorization") === "Bearer t1" ? refusal(401, "unauthenticated") : { status: 200, body: { id: "u" } },
    );
    expect(await client.get("/me")).toEqual({ id: "u" });
    expect(api.called("GET /me")).toHaveLength(2);
    api.on("GET /me", refusal(401, "unauthenticated"));
    await expect(client.get("/me")).rejects.toMatchObject({ status: 401, code: "unauthenticated" });
  });

  it("shares one token among those that are sent together", async () => {
    const provider = vi.fn(async () => "t");
    const client = makeClient({ token: provider });
    new FakeApi().on("GET /me", { status: 200, body: {} });
    await Promise.all([client.get("/me"), client.get("/me"), client.get("/me")]);
    expect(provider).toHaveBeenCalledTimes(1);
  });

  it("waits as long as the API asks for", async () => {
    const api = new FakeApi().on("GET /me", refusal(429, "rate_limited", {}, { "Retry-After": "7" }));
    const waits: (number | null)[] = [];
    const sent = makeClient().get("/me", {}, { onWaiting: (waiting) => waits.push(waiting && waiting.until - NOW) });
    await vi.advanceTimersByTimeAsync(6_900);
    expect(api.calls).toHaveLength(1);
    api.on("GET /me", { status: 200, body: { id: "u" } });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual({ id: "u" });
    expect(waits[0]).toBeGreaterThanOrEqual(7_000);
    expect(waits[1]).toBeNull();
  });

  it("tells the API's time where the visitor's clock shows another one", async () => {
    const client = makeClient();
    expect(client.now).toBe(NOW);
    const api = new FakeApi();
    // The second answer is one that a cache has kept.
    for (const minutes of [90, 120]) {
      const date = new Date(NOW - minutes * 60_000).toUTCString();
      api.on("GET /me", { status: 200, body: {}, headers: { Date: date } });
      await client.get("/me");
      expect(client.now).toBe(NOW - 90 * 60_000);
    }
  });

  it("that changes something is not repeated without a key", async () => {
    const api = new FakeApi().on("POST /x", "lost");
    await expect(makeClient().post("/x", {})).rejects.toMatchObject({ status: 0, code: "network" });
    expect(api.calls).toHaveLength(1);
  });

  it("is sent again at once when the connection is back", async () => {
    const api = new FakeApi().on("GET /me", "lost");
    const sent = makeClient().get("/me");
    await vi.advanceTimersByTimeAsync(10);
    api.on("GET /me", { status: 200, body: { id: "u" } });
    dispatchEvent(new Event("online"));
    expect(await sent).toEqual({ id: "u" });
  });

  it("leaves no timer and no listener behind a pause", async () => {
    const added = vi.spyOn(globalThis, "addEventListener");
    const { signal } = new AbortController();
    const paused = delay(60_000, signal, true);
    const [, , options] = added.mock.calls.find(([name]) => name === "online") ?? [];
    dispatchEvent(new Event("online"));
    await paused;
    expect(vi.getTimerCount()).toBe(0);
    expect(options).toMatchObject({ signal: { aborted: true } });
  });

  it("reads the catalogue by the publishable key", async () => {
    const api = new FakeApi().on("GET /mentors", { status: 200, body: {} });
    const client = makeClient({ token: null, tokenUrl: "/token", publishableKey: "tpk_1" });
    await client.get("/mentors", {}, { open: true });
    expect(api.calls[0]?.query.get("key")).toBe("tpk_1");
    // Else, browsers ask for permission first.
    expect([...(api.calls[0]?.headers.keys() ?? [])]).toEqual([]);
  });

  it("reads the open catalogue where nobody is signed in", async () => {
    const api = new FakeApi().on("POST /token", { status: 401 }).on("GET /mentors", { status: 200, body: {} });
    await makeClient({ token: null, tokenUrl: "http://api.test/token" }).get("/mentors", {}, { open: true });
    expect(api.called("GET /mentors")[0]?.headers.has("Authorization")).toBe(false);
  });
});

describe("a token of fifteen minutes", () => {
  const tokenOf = (claims: object): string => `x.${btoa(JSON.stringify(claims))}.y`;
  const seconds = NOW / 1000;

  it.each([-7200, -60, 0, 60, 7200])("is fetched once in its life by a clock %i seconds ahead", async (ahead) => {
    const provider = vi.fn(() => tokenOf({ iat: seconds - ahead, exp: seconds - ahead + 900 }));
    const { tokens } = makeClient({ token: provider });
    await tokens.get();
    await vi.advanceTimersByTimeAsync(790_000);
    await tokens.get();
    expect(provider).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(100_000);
    await tokens.get();
    expect(provider).toHaveBeenCalledTimes(2);
  });

  it("that names its end counts from the date of the answer", async () => {
    const [date, expiresAt] = [seconds - 7200, seconds - 6300].map((at) => new Date(at * 1000));
    const body = { token: "opaque", expiresAt: expiresAt?.toISOString() };
    const api = new FakeApi().on("POST /token", { status: 200, body, headers: { Date: String(date?.toUTCString()) } });
    const { tokens } = makeClient({ token: null, tokenUrl: "http://api.test/token" });
    await tokens.get();
    await vi.advanceTimersByTimeAsync(800_000);
    await tokens.get();
    expect(api.called("POST /token")).toHaveLength(1);
  });
});

it("reads the claims of a token", () => {
  const token = `x.${btoa(JSON.stringify({ exp: 1_900_000_000, sub: "u" })).replaceAll("=", "")}.y`;
  expect(claimsOf(token)).toEqual({ exp: 1_900_000_000, sub: "u" });
  expect(claimsOf("opaque")).toEqual({});
});
