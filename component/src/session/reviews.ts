/** The reviews of a session, or the permit to write one. */

import type { Client } from "../api/client.js";
import type { Page, Review, ReviewPermit, Session } from "../api/types.js";

/** Of a hundred entries each. */
const MAX_PAGES = 20;

export interface ReviewsOrPermit {
  permit: ReviewPermit | null;
  /** The newest first. Of a group, mentors see those of all participants, and people their own alone. */
  reviews: Review[];
}

export async function readReviews(
  client: Client,
  session: Session,
  isMentee: boolean,
  signal: AbortSignal,
): Promise<ReviewsOrPermit> {
  const isOfSession = (each: { sessionId: string | null }): boolean => each.sessionId === session.id;
  if (isMentee) {
    const [permit] = await find<ReviewPermit>(client, "/reviews/permits", signal, isOfSession, () => false, 1);
    if (permit) return { permit, reviews: [] };
  }
  // The newest first, and none was written before the completion.
  const completedAt = Date.parse(session.completedAt ?? "");
  const isOlder = ({ createdAt }: Review): boolean => Date.parse(createdAt) < completedAt;
  const isOne = session.menteeUserId !== null || isMentee;
  const path = `/mentors/${session.mentorProfileId}/reviews`;
  return { permit: null, reviews: await find(client, path, signal, isOfSession, isOlder, isOne ? 1 : Infinity) };
}

/** The entries of a list that are wanted, so many of them at most; looked for until one is beyond. */
async function find<T>(
  client: Client,
  path: string,
  signal: AbortSignal,
  isWanted: (entry: T) => boolean,
  isBeyond: (entry: T) => boolean,
  most: number,
): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | null = null;
  for (let number = 0; number < MAX_PAGES; number++) {
    const page: Page<T> = await client.get(path, { limit: 100, cursor }, { signal });
    found.push(...page.items.filter(isWanted));
    cursor = page.nextCursor;
    if (found.length >= most || !cursor || page.items.some(isBeyond)) break;
  }
  return found.slice(0, most);
}
