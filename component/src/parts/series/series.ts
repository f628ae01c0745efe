/** A series in the booking form: its fields, which of its dates are free, and what became of them. */

import { html, nothing, type TemplateResult } from "lit";
import { ApiError } from "../../api/errors.js";
import type { Booking, Recurrence, RefusalReason, Series, Slots } from "../../api/types.js";
import { addDays, dayOf } from "../../i18n/time.js";
import type { PartContext, Rendered, SeriesPart } from "../../booking/contracts.js";
import { mapSome } from "../../core/some.js";
import { Latest } from "../../core/work.js";
import { Store } from "../../core/store.js";
import { count, explain, message, momentOf, renderErrors, valueOf } from "../../ui/view.js";
import { sourceOf } from "../../booking/calendar/read.js";
import { Keys } from "../../core/keys.js";
import {
  MAX_SESSIONS,
  MIN_SESSIONS,
  NO_SERIES,
  mistakeOf,
  occurrencesOf,
  recurrenceOf,
  type Occurrence,
  type SeriesFields,
} from "./recurrence.js";
import { sentenceLocale, type ExtrasWords } from "../../i18n/enhanced/words.js";

const CHECKS_AT_ONCE = 3;
const MINUTE_MS = 60_000;
const INTERVALS = [0, 1, 2, 3, 4];

/** Whether a date is free; `unknown` is decided when it is booked. */
type Check = "checking" | "free" | "unknown" | "requested" | "no_such_time" | RefusalReason;

/** The codes of dates that were left out, as the form tells of the same ones. */
const REASONS: Record<string, Check[] | undefined> = {
  slot_taken: ["busy"],
  outside_hours: ["outside_hours", "time_off"],
  too_soon: ["too_soon"],
  beyond_horizon: ["beyond_horizon"],
  booking_limit: ["limit"],
  no_such_time: ["no_such_time"],
};

interface SeriesState extends SeriesFields {
  isWithdrawing: boolean;
  /** Why the requests could not be withdrawn. */
  error: ApiError | null;
  /** By the start, in milliseconds since the epoch. */
  checks: ReadonlyMap<number, Check>;
}

const EMPTY: SeriesState = { ...NO_SERIES, isWithdrawing: false, error: null, checks: new Map() };

export class SeriesForm implements SeriesPart {
  readonly store = new Store<SeriesState>(EMPTY);
  readonly #keys: Keys;
  readonly #checks: Latest;

  constructor(
    private readonly context: PartContext,
    private readonly words: () => ExtrasWords,
  ) {
    this.#keys = new Keys(context.client);
    this.#checks = new Latest(context.signal);
    context.store.subscribe((state, previous) => {
      if (state.slot === previous.slot && state.zone === previous.zone && state.slotMentorId === previous.slotMentorId) return;
      // Another time: the dates are others. No time: the form is over.
      this.store.update(state.slot ? { checks: new Map() } : EMPTY);
      void this.#check();
    }, context.signal);
  }

  body(): { recurrence?: Recurrence; timeZone?: string } {
    const recurrence = recurrenceOf(this.store.state);
    return recurrence ? { recurrence, timeZone: this.context.store.state.zone } : {};
  }

  /** How many sessions are booked, as far as is known; what is left out is not paid. */
  sessions(): number {
    const { slot, zone } = this.context.store.state;
    const dates = slot ? occurrencesOf(this.store.state, Date.parse(slot.startTime), zone) : [];
    const { skip } = this.store.state;
    const booked = dates.filter((date) => !skip || !isLeftOut(this.#checkOf(date, dates)));
    return Math.max(booked.length, 1);
  }

  hasMistake(): boolean {
    const { slot, zone } = this.context.store.state;
    return slot !== null && mistakeOf(this.store.state, Date.parse(slot.startTime), zone) !== null;
  }

  render(): Rendered {
    const { context, store } = this;
    const { slot, zone } = context.store.state;
    if (!slot) return nothing;
    const { repeat: words } = this.words();
    const { everyWeeks, ends, count, until, skip } = store.state;
    const first = Date.parse(slot.startTime);
    const mistake = mistakeOf(store.state, first, zone);
    const firstDay = dayOf(first, zone);
    const invalid = mistake ? "true" : "false";
    return html`<fieldset class="fields series" part="series">
      <legend class="visually-hidden">${words.title}</legend>
      <div class="field">
        <label for="series-every">${words.title}</label>
        <select id="series-every" data-value=${everyWeeks} @change=${(event: Event) => this.#change({ everyWeeks: Number(valueOf(event)) })}>
          ${INTERVALS.map(
            (weeks) =>
              html`<option value=${weeks}>${weeks ? words.weeks(weeks) : words.none}</option>`,
          )}
        </select>
      </div>
      ${everyWeeks
        ? html`<div class="columns">
              <div class="field">
                <label for="series-ends">${words.ends}</label>
                <select id="series-ends" data-value=${ends} @change=${(event: Event) => this.#changeEnd(valueOf(event), firstDay)}>
                  <option value="count">${words.byCount}</option>
                  <option value="until">${words.byDate}</option>
                </select>
              </div>
              ${ends === "count"
                ? html`<div class="field">
                    <label for="series-count">${words.count}</label>
                    <input
                      id="series-count"
                      type="number"
                      inputmode="numeric"
                      min=${MIN_SESSIONS}
                      max=${MAX_SESSIONS}
                      .value=${Number.isNaN(count) ? "" : String(count)}
                      aria-invalid=${invalid}
                      aria-describedby="series-error"
                      @input=${(event: Event) => this.#change({ count: parseInt(valueOf(event), 10) })}
                    />
                  </div>`
                : html`<div class="field">
                    <label for="series-until">${words.until}</label>
                    <input
                      id="series-until"
                      type="date"
                      min=${addDays(firstDay, 7 * everyWeeks)}
                      max=${addDays(firstDay, 7 * everyWeeks * (MAX_SESSIONS - 1))}
                      .value=${until}
                      aria-invalid=${invalid}
                      aria-describedby="series-error"
                      @change=${(event: Event) => this.#change({ until: valueOf(event) })}
                    />
                  </div>`}
            </div>
            ${renderErrors("series-error", mistake ? [words[mistake]] : undefined)}
            <label class="check"
              ><input type="checkbox" .checked=${skip} @change=${() => this.store.update({ skip: !skip })} />
              <span>${words.skip}<br /><small class="muted">${words.skipHint}</small></span></label
            >
            ${this.#renderDates(occurrencesOf(store.state, first, zone))}`
        : nothing}
    </fieldset>`;
  }

  renderResult(series: Series): TemplateResult {
    const { context } = this;
    const words = this.words();
    const made = count(context, series.made.length, words.plurals.dates);
    const areRequests = series.made.every((each) => each.sessionId === null);
    return html`<section class="series" part="series">
      <h3>${areRequests ? words.repeat.requested(made) : words.repeat.made(made)}</h3>
      <ul class="dates" tabindex="0" aria-label=${words.series.dates}>
        ${series.made.map(({ startTime }) => html`<li>${this.#momentOf(Date.parse(startTime))}</li>`)}
      </ul>
      ${series.skipped.length
        ? html`<h3>${words.repeat.skipped}</h3>
            <ul class="dates" tabindex="0" aria-label=${words.repeat.skipped}>
              ${series.skipped.map(
                ({ startTime, code, message: sentence }) =>
                  html`<li>
                    ${this.#momentOf(Date.parse(startTime))}
                    <small class="muted">${this.#reasonOf(startTime, code) ?? explain(context.words, new ApiError(409, code, sentence))}</small>
                  </li>`,
              )}
            </ul>`
        : nothing}
      ${areRequests && context.store.state.submission.kind === "requested" ? this.#renderWithdrawal(series) : nothing}
    </section>`;
  }

  #renderWithdrawal(series: Series): TemplateResult {
    const words = this.words();
    const { isWithdrawing, error } = this.store.state;
    return html`<div class="actions">
        <button
          part="button"
          aria-disabled=${isWithdrawing ? "true" : nothing}
          @click=${() => isWithdrawing || this.#withdraw(series)}
        >
          ${isWithdrawing ? words.working : words.repeat.withdrawAll(count(this.context, series.made.length, words.plurals.requests))}
        </button>
      </div>
      ${error ? message("danger", words.problems[error.code] ?? explain(this.context.words, error)) : nothing}`;
  }

  /** Withdraws all requests of the series; those that the mentor has accepted meanwhile are cancelled by their terms. */
  async #withdraw({ id, made }: Series): Promise<void> {
    const { client, flow, store } = this.context;
    const { submission } = store.state;
    if (submission.kind !== "requested") return;
    this.store.update({ isWithdrawing: true, error: null });
    try {
      const body = { from: made[0]?.startTime, reason: this.words().repeat.withdrawn };
      const path = `/series/${id}/cancel`;
      await this.#keys.send(path, body, (key) => client.post(path, body, { key }));
      flow.bookingChanged(await client.get<Booking>(`/bookings/${submission.booking.id}`));
    } catch (error) {
      this.store.update({ error: ApiError.ofPage(error) });
    }
    this.store.update({ isWithdrawing: false });
  }

  #renderDates(dates: Occurrence[]): Rendered {
    if (!dates.length) return nothing;
    const { context } = this;
    const words = this.words();
    const states = dates.map((date) => this.#checkOf(date, dates));
    const free = states.filter((check) => check === "free").length;
    const isDone = !states.includes("checking");
    return html`<div class="field">
      <span id="series-dates">${words.series.dates}</span>
      <p class="muted" role="status">${isDone ? count(context, free, words.plurals.freeDates) : words.repeat.checking}</p>
      <ul class="dates" tabindex="0" aria-labelledby="series-dates">
        ${dates.map((date, index) => {
          const check = states[index] ?? "unknown";
          return html`<li class=${isLeftOut(check) ? "taken" : check}>
            ${this.#momentOf(date.start)} <small>${labelOf(words, check)}</small>
          </li>`;
        })}
      </ul>
    </div>`;
  }

  #momentOf(instant: number): string {
    return momentOf({ locale: sentenceLocale(this.context), zone: this.context.store.state.zone }, instant);
  }

  #checkOf({ start, exists }: Occurrence, dates: Occurrence[]): Check {
    if (!exists) return "no_such_time";
    // The first one has been chosen among the free times.
    const check = start === dates[0]?.start ? "free" : (this.store.state.checks.get(start) ?? "checking");
    // A request takes no time: the mentor decides.
    const isRequest = this.context.store.state.listing?.bookingMode === "request";
    return check === "busy" && isRequest ? "requested" : check;
  }

  /** Why a date was left out, as the form has said it before: the API has one code for several reasons. */
  #reasonOf(startTime: string, code: string): string | undefined {
    const check = this.store.state.checks.get(Date.parse(startTime));
    const reasons = REASONS[code];
    const reason = reasons?.find((each) => each === check) ?? reasons?.[0];
    return reason && labelOf(this.words(), reason);
  }

  #changeEnd(ends: string, firstDay: string): void {
    const { everyWeeks, count, until } = this.store.state;
    if (ends === "count") return this.#change({ ends });
    const last = addDays(firstDay, 7 * everyWeeks * (Math.max(count || MIN_SESSIONS, MIN_SESSIONS) - 1));
    this.#change({ ends: "until", until: until || last });
  }

  #change(change: Partial<SeriesFields>): void {
    this.store.update(change);
    void this.#check();
  }

  /** Asks of each date whether it is free; each once. */
  async #check(): Promise<void> {
    const signal = this.#checks.next();
    const { slot, zone } = this.context.store.state;
    if (!slot) return;
    const waiting = occurrencesOf(this.store.state, Date.parse(slot.startTime), zone)
      .slice(1)
      .filter(({ start, exists }) => exists && !this.store.state.checks.has(start));
    await mapSome(waiting, CHECKS_AT_ONCE, async ({ start }) => {
      const check = signal.aborted ? "unknown" : await this.#ask(start, signal).catch((): Check => "unknown");
      if (!signal.aborted) this.store.update(({ checks }) => ({ checks: new Map([...checks, [start, check]]) }));
    });
  }

  async #ask(start: number, signal: AbortSignal): Promise<Check> {
    const { client, store } = this.context;
    const { zone, slotMentorId, mentorId } = store.state;
    const source = sourceOf(store.state);
    if (!source) return "unknown";
    const query = {
      ...source.query,
      from: new Date(start).toISOString(),
      to: new Date(start + MINUTE_MS).toISOString(),
      // Times beside the mentor's grid can be booked too.
      stepMinutes: 5,
      timeZone: zone,
      explain: true,
    };
    const { items, refused = [] } = await client.get<Slots>(source.path, query, { open: true, signal });
    const mentor = slotMentorId ?? mentorId;
    const isOf = (ids: string[]): boolean => !mentor || ids.includes(mentor);
    if (items.some((slot) => Date.parse(slot.startTime) === start && isOf(slot.mentorProfileIds))) return "free";
    return refused.find((each) => Date.parse(each.startTime) === start && isOf([each.mentorProfileId]))?.reason ?? "unknown";
  }
}

function isLeftOut(check: Check): boolean {
  return !["free", "checking", "unknown", "requested"].includes(check);
}

function labelOf({ repeat, refused }: ExtrasWords, check: Check): string {
  switch (check) {
    case "checking":
      return repeat.checking;
    case "free":
    case "unknown":
      return repeat[check];
    case "requested":
      return repeat.takenRequest;
    case "no_such_time":
      return repeat.noSuchTime;
    default:
      return repeat.taken(refused.reasons[check]);
  }
}
