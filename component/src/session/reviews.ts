/** The review of a session, or the permit to write one. */

import type { Client } from "../api/client.js";
import type { Page, Review, ReviewPermit, Session } from "../api/types.js";

/** Of a hundred entries each. */
const MAX_PAGES = 20;

export interface ReviewOrPermit {
  permit: ReviewPermit | null;
  review: Review | null;
}

export async function readReview(
  client: Client,
  session: Session,
  isMentee: boolean,
  signal: AbortSignal,
): Promise<ReviewOrPermit> {
  const isOfSession = (each: { sessionId: string | null }): boolean => each.sessionId === session.id;
  const permit = isMentee
    ? await find<ReviewPermit>(client, "/reviews/permits", signal, isOfSession, () => false)
    : null;
  if (permit) return { permit, review: null };
  // The newest first, and none was written before the completion.
  const completedAt = Date.parse(session.completedAt ?? "");
  const isOlder = ({ createdAt }: Review): boolean => Date.parse(createdAt) < completedAt;
  const review = await find(client, `/mentors/${session.mentorProfileId}/reviews`, signal, isOfSession, isOlder);
  return { permit, review };
}

/** The first entry of a list that is wanted; looked for until one is beyond. */
async function find<T>(
  client: Client,
  path: string,
  signal: AbortSignal,
  isWanted: (entry: T) => boolean,
  isBeyond: (entry: T) => boolean,
): Promise<T | null> {
  let cursor: string | null = null;
  for (let number = 0; number < MAX_PAGES; number++) {
    const page: Page<T> = await client.get(path, { limit: 100, cursor }, { signal });
    const found = page.items.find(isWanted);
    if (found) return found;
    cursor = page.nextCursor;
    if (!cursor || page.items.some(isBeyond)) return null;
  }
  return null;
}
