import { describe, expect, it } from "vitest";
import type { Client } from "../src/api/client.js";
import { readReviews } from "../src/session/reviews.js";
import { session } from "./session-fixtures.js";

const completed = session({ status: "completed", completedAt: "2030-05-04T10:00:00Z" });

/** A client that answers these pages of reviews, and these permits. */
function clientOf(pages: object[][], permits: object[] = []): { client: Client; asked: string[] } {
  const asked: string[] = [];
  const get = async (path: string, query: { cursor?: string | null }): Promise<unknown> => {
    asked.push(path);
    if (path === "/reviews/permits") return { items: permits, nextCursor: null };
    const at = Number(query.cursor ?? 0);
    return { items: pages[at], nextCursor: at + 1 < pages.length ? String(at + 1) : null };
  };
  return { client: { get } as unknown as Client, asked };
}

function review(sessionId: string, createdAt: string): object {
  return { sessionId, createdAt, rating: 5 };
}

describe("the review of a session", () => {
  const { signal } = new AbortController();

  it("is found on a later page", async () => {
    const { client } = clientOf([[review("other", "2030-06-01T00:00:00Z")], [review(completed.id, "2030-05-05T00:00:00Z")]]);
    expect((await readReviews(client, completed, false, signal)).reviews).toMatchObject([{ sessionId: completed.id }]);
  });

  it("is not looked for before the completion", async () => {
    const { client, asked } = clientOf([[review("other", "2030-05-01T00:00:00Z")], [review(completed.id, "")]]);
    expect((await readReviews(client, completed, false, signal)).reviews).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it("is one of several of a group, all of which its mentor reads", async () => {
    const group = { ...completed, menteeUserId: null };
    const [first, second] = [review(group.id, "2030-05-06T00:00:00Z"), review(group.id, "2030-05-05T00:00:00Z")];
    const { client } = clientOf([[first, review("other", "2030-05-05T12:00:00Z")], [second]]);
    expect((await readReviews(client, group, false, signal)).reviews).toEqual([first, second]);
  });

  it("is not there while there is a permit to write it", async () => {
    const { client, asked } = clientOf([], [{ sessionId: completed.id }]);
    expect((await readReviews(client, completed, true, signal)).permit).toMatchObject({ sessionId: completed.id });
    expect(asked).toEqual(["/reviews/permits"]);
  });
});
