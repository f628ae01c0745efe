/** Keeps the chosen time while the form is filled in. */

import { delay, newKey } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Hold } from "../api/types.js";
import type { FlowContext } from "./contracts.js";
import { chosenListing, chosenOffer, shownTerms } from "./request.js";

/** How long a booking waits for the answer to the hold of its time. */
const LONGEST_WAIT_MS = 2_000;
/** Refusals that mean: this time cannot be booked. */
export const LOST_CODES = new Set(["slot_taken", "outside_hours", "too_soon", "beyond_horizon", "no_mentor_free"]);

export class HoldKeeper {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #run = new AbortController();
  #taking = Promise.resolve();

  constructor(
    private readonly context: FlowContext,
    /** The time is lost. */
    private readonly onLost: (error: ApiError) => void,
    private readonly onSignedOut: () => void,
    /** It has other terms than those that are shown. */
    private readonly onChanged: (error: ApiError) => unknown,
  ) {
    context.signal.addEventListener("abort", () => this.#stop());
  }

  /** Asks for a hold of the chosen slot; an own one that overlaps is replaced by the API. */
  take(): Promise<void> {
    // A hold that is given back has its answer first: the API would replace the one by the other.
    return (this.#taking = this.#take(this.settled()));
  }

  /** The hold that is being asked for has its answer, or takes too long for one. */
  async settled(): Promise<void> {
    await Promise.race([this.#taking, delay(navigator.onLine ? LONGEST_WAIT_MS : 0)]);
  }

  async #take(before: Promise<void>): Promise<void> {
    const { client, store } = this.context;
    const { slot, durationMinutes, course } = store.state;
    const offer = chosenOffer(store.state);
    const listing = chosenListing(store.state);
    if (!slot || !offer || !listing) return;
    // Of a course, a product or a credit pays instead of the listing's price.
    const terms = shownTerms(store.state, course ? null : listing.price);
    this.#stop();
    const run = (this.#run = new AbortController());
    const { signal } = run;
    store.update({ hold: { kind: "requesting" } });
    await before;
    if (signal.aborted || run !== this.#run) return;
    try {
      const hold = await client.post<Hold>(
        `/mentors/${offer.mentor.id}/holds`,
        { startTime: slot.startTime, durationMinutes, listingId: listing.id, ...terms },
        { key: newKey(), attempts: 3, signal },
      );
      if (run !== this.#run) return this.#giveBack(hold);
      // By its own length: the visitor's clock may show another time than the API's.
      const endsAt = Date.now() + Date.parse(hold.expiresAt) - Date.parse(hold.createdAt);
      store.update({ hold: { kind: "held", hold, endsAt } });
      this.check();
    } catch (error) {
      if (signal.aborted || run !== this.#run) return;
      store.update({ hold: { kind: "unavailable" } });
      const failure = ApiError.of(error);
      if (failure.status === 401) this.onSignedOut();
      else if (failure.presentTerms) this.onChanged(failure);
      else if (LOST_CODES.has(failure.code)) this.onLost(failure);
      else this.context.telemetry.failed(failure);
    }
  }

  /** Gives the time back; one that is being asked for, once it is there. */
  release(): void {
    const { hold } = this.context.store.state;
    if (hold.kind === "requesting") this.#run = new AbortController();
    this.forget();
    if (hold.kind === "held") this.#giveBack(hold.hold);
  }

  /** If it fails, the hold expires. */
  #giveBack({ id }: Hold): void {
    this.context.client.fetch(`/holds/${id}`, { method: "DELETE" }, { keepalive: true }).catch(() => undefined);
  }

  /** A booking has consumed the hold, or its time is lost. */
  forget(): void {
    this.#stop();
    this.context.store.update({ hold: { kind: "none" } });
  }

  /** Waits for the end of the hold; called again after timers have rested, in a page in the background. */
  check(): void {
    clearTimeout(this.#timer);
    const { hold } = this.context.store.state;
    if (hold.kind !== "held") return;
    const end = (): void => this.context.store.update({ hold: { kind: "expired" } });
    this.#timer = setTimeout(end, Math.max(0, hold.endsAt - Date.now()));
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#run.abort();
  }
}
