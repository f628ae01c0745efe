/** Lazy part "refused": times of the chosen day that cannot be booked, with the reasons. */

import { css, html } from "lit";
import type { RefusalReason, Slot, Slots } from "../../api/types.js";
import { addDays, formatRange, formatter, startOfDay } from "../../i18n/time.js";
import type { PartContext, Rendered } from "../../booking/contracts.js";
import { Latest } from "../../core/work.js";
import { Store, renderOn } from "../../core/store.js";
import { sourceOf } from "../../booking/calendar/read.js";
import { ApiError } from "../../api/errors.js";
import { adoptStyles } from "../../ui/view.js";
import { refusedWords } from "./words.js";
import { sentenceLocale, type ExtrasWords } from "../../i18n/enhanced/words.js";

interface RefusedRange {
  /** The first and the last starting time, in milliseconds since the epoch. */
  from: number;
  to: number;
  reason: RefusalReason;
}

interface RefusedState {
  /** Of which day and zone `ranges` are. */
  key: string;
  ranges: RefusedRange[] | null;
  isStale: boolean;
  error: ApiError | null;
}

const styles = css`
  .refused ul {
    margin-block-start: 6px;
    display: grid;
    gap: 4px;
    font-size: 0.92em;
  }
  .refused li {
    display: flex;
    flex-wrap: wrap;
    gap: 0 10px;
  }
`;

const SHORTEST_PAUSE_MS = 10_000;

/** Of several mentors' reasons the one that comes closest to being free. */
const BY_INTEREST: RefusalReason[] = ["busy", "limit", "time_off", "too_soon", "beyond_horizon", "outside_hours"];

/** The refused starting times, in a row those with the same reason; without times that another mentor offers. */
export function rangesOf({ items, refused = [] }: Slots, mentorId: string | null): RefusedRange[] {
  const reasons = new Map<number, RefusalReason | null>();
  for (const { startTime, mentorProfileId, reason } of refused) {
    if (mentorId && mentorProfileId !== mentorId) continue;
    const start = Date.parse(startTime);
    const known = reasons.get(start);
    if (!known || BY_INTEREST.indexOf(reason) < BY_INTEREST.indexOf(known)) reasons.set(start, reason);
  }
  for (const { startTime, mentorProfileIds } of items) {
    if (!mentorId || mentorProfileIds.includes(mentorId)) reasons.set(Date.parse(startTime), null);
  }
  const ranges: RefusedRange[] = [];
  let previous: RefusalReason | null = null;
  for (const [start, reason] of [...reasons].sort(([one], [other]) => one - other)) {
    const last = ranges.at(-1);
    if (last && reason !== null && reason === previous) last.to = start;
    else if (reason !== null) ranges.push({ from: start, to: start, reason });
    previous = reason;
  }
  return ranges;
}

export class RefusedTimes {
  readonly store = new Store<RefusedState>({ key: "", ranges: null, isStale: false, error: null });
  readonly #reads: Latest;
  #slots: readonly Slot[] | null = null;
  #loadedAt = 0;

  constructor(
    private readonly context: PartContext,
    private readonly words: () => ExtrasWords,
  ) {
    this.#reads = new Latest(context.signal);
    renderOn(context.element, context.signal, this.store);
    adoptStyles(context.element, context.signal, styles);
  }

  render(day: string): Rendered {
    // Another day, or other free times, which may change often: what was read is of the past.
    const { slots } = this.context.store.state.calendar;
    const isOld = slots !== this.#slots && Date.now() > this.#loadedAt + SHORTEST_PAUSE_MS;
    if (isOld || this.store.state.key !== this.#keyOf(day)) queueMicrotask(() => void this.load(day));
    const words = refusedWords({ words: this.context.words, locale: this.context.options.locale });
    const { ranges, isStale, error } = this.store.state;
    if (error) return html`<p class="error">${words.failed}</p>`;
    if (!ranges) return html`<p class="muted">${this.context.words.loading}</p>`;
    if (!ranges.length) return html`<p class="muted">${words.none}</p>`;
    const options = { timeZone: this.context.store.state.zone, hour: "numeric", minute: "2-digit" } as const;
    const format = formatter(sentenceLocale(this.context), options);
    const reasonOf = ({ reason, from }: RefusedRange): string =>
      reason === "too_soon" && from < Date.now() ? words.past : this.words().refused.reasons[reason];
    return html`<p class="muted">${isStale ? words.stale : words.starts}</p>
      <ul>
        ${ranges.map(
          (range) =>
            html`<li><b>${range.from === range.to ? format.format(range.from) : formatRange(format, range.from, range.to)}</b>
              <span class="muted">${reasonOf(range)}</span></li>`,
        )}
      </ul>`;
  }

  #keyOf(day: string): string {
    const { zone, mentorId, listing, durationMinutes } = this.context.store.state;
    return [day, zone, mentorId, listing?.id, durationMinutes].join();
  }

  async load(day: string): Promise<void> {
    const { client, store } = this.context;
    const { zone, mentorId, calendar } = store.state;
    const source = sourceOf(store.state);
    const key = this.#keyOf(day);
    const { key: known, error } = this.store.state;
    if (!source || (known === key && this.#slots === calendar.slots && !error)) return;
    const signal = this.#reads.next();
    this.#slots = calendar.slots;
    this.#loadedAt = Date.now();
    this.store.update(({ key: before, ranges }) => ({ key, ranges: before === key ? ranges : null, error: null }));
    const query = {
      ...source.query,
      from: new Date(startOfDay(day, zone)).toISOString(),
      to: new Date(startOfDay(addDays(day, 1), zone)).toISOString(),
      timeZone: zone,
      explain: true,
    };
    try {
      const slots = await client.get<Slots>(source.path, query, { open: true, signal });
      const ranges = rangesOf(slots, mentorId);
      this.store.update({ ranges, isStale: Boolean(slots.staleCalendars?.length) && !slots.items.length });
    } catch (error) {
      if (!signal.aborted) this.store.update({ error: ApiError.ofPage(error) });
    }
  }
}
