/** Loads what can be booked: a mentor with listings, or a course with all who teach it. */

import type { Client, RequestOptions } from "../api/client.js";
import type { Bundle, Listing, Mentor, Page, SupportOptions } from "../api/types.js";
import type { Options } from "../parts.js";
import type { BookingState, Offer, Payment } from "./state.js";

const MAX_PAGES = 5; // of 100 each: nobody chooses among more

type Offered = Pick<BookingState, "course" | "offers" | "products">;

/**
 * What the element's attributes name.
 *
 * @throws ApiError 404 `not_found`: the attributes name nothing, or nothing that there is.
 */
export async function loadOffers(client: Client, options: Options, signal: AbortSignal): Promise<Offered> {
  const open: RequestOptions = { open: true, signal };
  const { courseId, listingId } = options;
  if (courseId) {
    const [{ course, products }, mentors, listings] = await Promise.all([
      client.get<SupportOptions>(`/courses/${courseId}/support-options`, {}, open),
      allOf<Mentor>(client, "/mentors", { courseId }, open),
      allOf<Listing>(client, "/listings", { courseId }, open),
    ]);
    const offers = mentors.map((mentor) => offerOf(mentor, listings));
    const wanted = offers.filter(({ mentor }) => !options.mentorId || mentor.id === options.mentorId);
    return { course, products: products.filter((product) => product.active), offers: wanted };
  }
  const listing = listingId ? client.get<Listing>(`/listings/${listingId}`, {}, open) : null;
  const mentorId = options.mentorId ?? (await listing)?.mentorProfileId ?? "";
  const [mentor, listings] = await Promise.all([
    client.get<Mentor>(`/mentors/${mentorId}`, {}, open),
    allOf<Listing>(client, "/listings", { mentorProfileId: mentorId }, open),
  ]);
  return { course: null, products: [], offers: [offerOf(mentor, listings)] };
}

/** The listings to choose from: only the named one, if there is one. */
export function offeredListings(offer: Offer | undefined, listingId: string | null): Listing[] {
  return (offer?.listings ?? []).filter((listing) => !listingId || listing.id === listingId);
}

/** The durations in which a course can be booked, the shortest first. */
export function durationsOf(offers: readonly Offer[]): number[] {
  const all = offers.flatMap((offer) => offer.listings.map((listing) => listing.durationMinutes));
  return [...new Set(all)].sort((one, other) => one - other);
}

/** The person's bundles that can pay for sessions of a course. */
export async function loadBundles(client: Client, courseId: string, signal: AbortSignal): Promise<Bundle[]> {
  const bundles = await allOf<Bundle>(client, "/bundles", {}, { signal });
  return bundles.filter((bundle) => bundle.courseId === courseId && bundle.status === "active");
}

/** What can pay for a session of a duration: credits first, since they are paid already. */
export function paymentsFor(state: BookingState): Payment[] {
  const fits = (durationMinutes: number | null): boolean =>
    durationMinutes === null || durationMinutes === state.durationMinutes;
  const bundles = state.bundles.filter((bundle) => {
    const product = state.products.find((each) => each.id === bundle.productId);
    return !product || fits(product.durationMinutes);
  });
  const products = state.products.filter((product) => product.kind === "single" && fits(product.durationMinutes));
  return [
    ...bundles.map((bundle): Payment => ({ kind: "bundle", bundle })),
    ...products.map((product): Payment => ({ kind: "product", product })),
  ];
}

/** A payment's name in a form. */
export function keyOf(payment: Payment | null): string | null {
  if (!payment) return null;
  return payment.kind === "bundle" ? `bundle:${payment.bundle.id}` : `product:${payment.product.id}`;
}

function offerOf(mentor: Mentor, listings: readonly Listing[]): Offer {
  const own = listings.filter((listing) => listing.mentorProfileId === mentor.id && listing.active);
  return { mentor, listings: own.sort((one, other) => one.durationMinutes - other.durationMinutes) };
}

async function allOf<T>(
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
