/** Loads what can be booked: a mentor with listings. */

import { itemsOf, type Client, type RequestOptions } from "../api/client.js";
import type { Listing, Mentor } from "../api/types.js";
import type { Options } from "./contracts.js";
import type { BookingState, Offer } from "./state.js";

const MAX_ITEMS = 500;

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

/** The items of a list, of which no one chooses among more. */
export async function allOf<T>(client: Client, path: string, query: Record<string, string>, options: RequestOptions): Promise<T[]> {
  const items: T[] = [];
  for await (const item of itemsOf<T>(client, path, query, options)) {
    if (items.push(item) === MAX_ITEMS) break;
  }
  return items;
}
