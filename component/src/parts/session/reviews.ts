/** The reviews of a session, or the permit to write one. */

import type { Client } from "../../api/client.js";
import type { Page, Review, ReviewPermit, Session } from "../../api/types.js";

/** Of permits, of a hundred entries each: people have few. */
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
  const permit = isMentee ? await findPermit(client, session, signal) : null;
  if (permit) return { permit, reviews: [] };
  const query = { sessionId: session.id, limit: 100 };
  const { items } = await client.get<Page<Review>>(`/mentors/${session.mentorProfileId}/reviews`, query, { signal });
  return { permit, reviews: items };
}

async function findPermit(client: Client, session: Session, signal: AbortSignal): Promise<ReviewPermit | null> {
  let cursor: string | null = null;
  for (let number = 0; number < MAX_PAGES; number++) {
    const page: Page<ReviewPermit> = await client.get("/reviews/permits", { limit: 100, cursor }, { signal });
    const found = page.items.find(({ sessionId }) => sessionId === session.id);
    cursor = page.nextCursor;
    if (found || !cursor) return found ?? null;
  }
  return null;
}
