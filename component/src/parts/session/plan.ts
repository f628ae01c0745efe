/** The cancellation of the rest of a series: its dates, and the sum of their quotes. */

import { itemsOf, type Client } from "../../api/client.js";
import type { Booking, CancellationQuote, Money } from "../../api/types.js";
import { mapSome } from "../../core/some.js";
import { isCreditUsable } from "../../ui/paid.js";
import type { Role, SeriesPlan } from "./state.js";

interface Seen {
  seriesId: string | null | undefined;
  listingId: string | null | undefined;
  /** The start of the first session to cancel. */
  from: string | undefined;
}

const QUOTES_AT_ONCE = 4;

/** Reads what can be cancelled of a series, each session with what that costs the visitor now. */
export async function readPlan(client: Client, seen: Seen, role: Role | null, signal: AbortSignal): Promise<SeriesPlan> {
  const bookings = await bookingsOf(client, seen, role, signal);
  const found = await mapSome(bookings, QUOTES_AT_ONCE, async ({ status, sessionId }) => {
    if (status !== "accepted" || !sessionId) return null;
    return client.get<CancellationQuote>(`/sessions/${sessionId}/cancellation-quote`, {}, { signal });
  });
  const quotes = found.filter((quote) => quote?.allowed).map((quote) => quote as CancellationQuote);
  const items = bookings.flatMap(({ startTime, status }, at) => {
    // Operators decide about no requests.
    const isDraft = status === "draft" && role !== "operator";
    return isDraft || found[at]?.allowed ? { startTime, isDraft } : [];
  });
  return {
    items,
    fee: sumOf(quotes.map((quote) => quote.fee)),
    refund: sumOf(quotes.map((quote) => quote.refund)),
    credits: quotes.filter(isCreditUsable).length,
  };
}

async function bookingsOf(client: Client, seen: Seen, role: Role | null, signal: AbortSignal): Promise<Booking[]> {
  const { seriesId, listingId, from } = seen;
  const query = { role: role === "operator" ? null : role, from, listingId, order: "asc" };
  const found: Booking[] = [];
  for await (const booking of itemsOf<Booking>(client, "/bookings", query, { signal })) {
    if (booking.seriesId === seriesId) found.push(booking);
  }
  return found;
}

/** The sum of amounts of one currency; null of none. */
function sumOf(amounts: readonly Money[]): Money | null {
  const [first] = amounts;
  if (!first) return null;
  return { currency: first.currency, amount: amounts.reduce((sum, { amount }) => sum + amount, 0) };
}
