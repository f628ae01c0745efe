/** The reviews of a session, or the permit to write one. */

import { itemsOf, type Client } from "../../api/client.js";
import type { Page, Review, ReviewPermit, Session } from "../../api/types.js";

interface ReviewsOrPermit {
  permit: ReviewPermit | null;
  /** The newest first. Of a group, mentors see all reviews, and participants their own alone. */
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
  for await (const permit of itemsOf<ReviewPermit>(client, "/reviews/permits", {}, { signal })) {
    if (permit.sessionId === session.id) return permit;
  }
  return null;
}
