/** Loads what can be booked: a mentor with listings. */

import type { Client, RequestOptions } from "../api/client.js";
import type { Listing, Mentor, Page } from "../api/types.js";
import type { Options } from "./contracts.js";
import type { BookingState, Offer } from "./state.js";

const MAX_PAGES = 5; // of 100 each: no one chooses among more

/**
 * The mentor whom the element's attributes name, with all listings.
 *
 * @param begin is called once it is known whose slots will be wanted.
 * @throws ApiError there is none.
 */
export async function loadOffers(
  client: Client,
  options: Options,
  signal: AbortSignal,
  begin: (path: string) => void,
): Promise<Pick<BookingState, "offers">> {
  const open: RequestOptions = { open: true, signal };
  const { listingId } = options;
  const mentorId =
    options.mentorId ?? (await client.get<Listing>(`/listings/${listingId}`, {}, open)).mentorProfileId;
  begin(`/mentors/${mentorId}/slots`);
  const [mentor, listings] = await Promise.all([
    client.get<Mentor>(`/mentors/${mentorId}`, {}, open),
    allOf<Listing>(client, "/listings", { mentorProfileId: mentorId }, open),
  ]);
  return { offers: [offerOf(mentor, listings)] };
}

/** The listings to choose from: only the named one, if there is one. */
export function offeredListings(offer: Offer | undefined, listingId: string | null): Listing[] {
  return (offer?.listings ?? []).filter((listing) => !listingId || listing.id === listingId);
}

/** A mentor with the listings that can be booked, as the API takes them: the shortest, the cheapest, the smallest id. */
export function offerOf(mentor: Mentor, listings: readonly Listing[]): Offer {
  const own = listings.filter((listing) => listing.mentorProfileId === mentor.id && listing.active);
  const order = (one: Listing, other: Listing): number =>
    one.durationMinutes - other.durationMinutes || one.price.amount - other.price.amount || (one.id < other.id ? -1 : 1);
  return { mentor, listings: own.sort(order) };
}

/** All items of a list. */
export async function allOf<T>(
  client: Client,
  path: string,
  query: Record<string, string>,
  options: RequestOptions,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const found: Page<T> = await client.get<Page<T>>(path, { ...query, limit: 100, cursor }, options);
    items.push(...found.items);
    cursor = found.nextCursor;
    if (!cursor) break;
  }
  return items;
}
