// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { Client } from "../../api/client.js";
import { readReviews } from "./reviews.js";
import { session } from "../../../tests/session-fixtures.js";

const completed = session({ status: "completed", completedAt: "2030-05-04T10:00:00Z" });

interface Asked {
  path: string;
  query: { cursor?: string | null; sessionId?: string };
}

/** A client that answers these reviews of a session, and these pages of permits. */
function clientOf(reviews: object[], permits: object[][] = [[]]): { client: Client; asked: Asked[] } {
  const asked: Asked[] = [];
  const get = async (path: string, query: Asked["query"]): Promise<unknown> => {
    asked.push({ path, query });
    if (path !== "/reviews/permits") return { items: query.sessionId === completed.id ? reviews : [], nextCursor: null };
    const at = Number(query.cursor ?? 0);
    return { items: permits[at], nextCursor: at + 1 < permits.length ? String(at + 1) : null };
  };
  return { client: { get } as unknown as Client, asked };
}

describe("the reviews of a session", () => {
  const { signal } = new AbortController();
  const [first, second] = [4, 5].map((rating) => ({ sessionId: completed.id, rating }));

  it("are asked for by one request, however many its mentor has", async () => {
    const { client, asked } = clientOf([first as object, second as object]);
    expect((await readReviews(client, completed, false, signal)).reviews).toEqual([first, second]);
    expect(asked).toHaveLength(1);
  });

  it("are read where there is no permit to write one", async () => {
    const { client } = clientOf([first as object], [[{ sessionId: "other" }]]);
    expect(await readReviews(client, completed, true, signal)).toEqual({ permit: null, reviews: [first] });
  });

  it("are not there while there is a permit to write one", async () => {
    const { client, asked } = clientOf([], [[{ sessionId: "other" }], [{ sessionId: completed.id }]]);
    expect((await readReviews(client, completed, true, signal)).permit).toMatchObject({ sessionId: completed.id });
    expect(asked.map(({ path }) => path)).toEqual(["/reviews/permits", "/reviews/permits"]);
  });
});
