/** The calendar: the zone, the month, and the free times of the chosen day. */

import { html, nothing, type TemplateResult } from "lit";
import type { Slot } from "../../api/types.js";
import { formatDay, formatter, formatZone, knownZone, localZone } from "../../i18n/time.js";
import type { Rendered, View } from "../contracts.js";
import { button, count, explain, failure, message, whenOf, valueOf } from "../../ui/view.js";
import { renderMonth } from "./month.js";
import { bookableSlots, partsOfDay, slotsByDay } from "./slots.js";

/** More free times than these stand under a heading for each part of the day; fewer are one list. */
const PLAIN_SLOTS = 8;

export function renderCalendar(view: View): TemplateResult {
  const { words, state, now } = view;
  const bookable = bookableSlots(state.calendar.slots, state.mentorId, now);
  const days = slotsByDay(bookable, state.month, state.zone);
  return html`<section class="calendar" aria-labelledby="choose">
    <div class="head">
      <h3 id="choose" tabindex="-1" data-focus>${words.calendar.title}</h3>
      ${renderZone(view)}
    </div>
    ${renderLost(view)}
    <div class="columns">${renderMonth(view, days)} ${renderDaySlots(view, days, bookable)}</div>
  </section>`;
}

function renderLost(view: View): Rendered {
  const { state, words } = view;
  if (!state.lost) return nothing;
  const { slot, error } = state.lost;
  return message("warning", html`<b>${words.lostTime(whenOf(view, slot))}.</b> ${explain(words, error)}`);
}

function renderDaySlots(view: View, days: ReadonlyMap<string, Slot[]>, bookable: readonly Slot[]): Rendered {
  const { words, locale, state, flow, enhanced } = view;
  const { calendar, day } = state;
  const slots = (day && days.get(day)) || [];
  const problem = calendar.error ? failure(view, calendar.error, button(words.tryAgain, () => flow.reloadSlots())) : nothing;
  if (calendar.error && !slots.length) return problem;
  if ((calendar.isLoading || state.phase === "loading") && !days.size) return renderSkeleton(words.loading);
  const title = day ? formatDay(day, locale, { weekday: "long", day: "numeric", month: "long" }) : "";
  const found = words.calendar.day(title, count(view, slots.length, words.plurals.times));
  // Without any free slot, more than a year has been searched.
  const searched = formatter(locale, { timeZone: state.zone, dateStyle: "long" });
  const none = !bookable.length ? words.calendar.noneAtAll(searched.format(calendar.to)) : days.size && !day ? words.calendar.chooseDay : words.calendar.none;
  return html`<section class="times" part="slots">
    ${problem} ${title ? html`<h4>${title}</h4>` : nothing}
    ${slots.length
      ? html`<p class="visually-hidden" role="status">${found}</p>
          ${renderParts(view, slots)}`
      : html`<p class="muted" role="status">${none}</p>`}
    ${bookable.length && !days.size ? button(words.calendar.findNext, () => flow.findNext()) : nothing}
    ${(day && enhanced?.extras?.refused.render(day)) || nothing}
  </section>`;
}

function renderParts(view: View, slots: readonly Slot[]): TemplateResult {
  const { words, locale, state, flow, realtime } = view;
  const parts = partsOfDay(slots, locale, state.zone);
  const lists = slots.length > PLAIN_SLOTS ? parts : [[null, parts.flatMap(([, labelled]) => labelled)] as const];
  return html`${lists.map(
    ([part, labelled]) => html`
      ${part ? html`<h5>${words.calendar[part]}</h5>` : nothing}
      <ul class="slots">
        ${labelled.map(({ slot, label }) => {
          const isTaken = realtime?.isTaken(slot);
          return html`<li>
            <button
              part="button slot"
              class="slot ${isTaken ? "taken" : ""}"
              aria-disabled=${isTaken ? "true" : nothing}
              data-start=${slot.startTime}
              @click=${() => isTaken || flow.chooseSlot(slot)}
            >
              ${label}${realtime?.renderSlotMark(slot) ?? nothing}
            </button>
          </li>`;
        })}
      </ul>
    `,
  )}`;
}

export function renderSkeleton(label: string): TemplateResult {
  return html`<div class="skeletons" role="status" aria-label=${label}>
    ${Array.from({ length: 6 }, () => html`<span class="skeleton"></span>`)}
  </div>`;
}

function renderZone({ words, locale, state, flow, now }: View): TemplateResult {
  const coachZone = state.offers.length === 1 ? knownZone(state.offers[0]?.mentor.timeZone) : null;
  const near = [...new Set([localZone(), ...(coachZone ? [coachZone] : []), state.zone])];
  const labelOf = (zone: string): string => {
    const shown = formatZone(zone, locale, now);
    if (zone === localZone()) return `${shown} – ${words.calendar.yourZone}`;
    return zone === coachZone ? `${shown} – ${words.calendar.coachZone}` : shown;
  };
  return html`<label class="zone"
    ><span>${words.calendar.zone}</span>
    <select data-value=${state.zone} @change=${(event: Event) => flow.chooseZone(valueOf(event))}>
      ${near.map((zone) => html`<option value=${zone}>${labelOf(zone)}</option>`)}
      <optgroup label=${words.calendar.allZones}>
        ${allZones().map((zone) => html`<option value=${zone}>${zone.replaceAll("_", " ")}</option>`)}
      </optgroup>
    </select></label
  >`;
}

let zones: string[] | null = null;

function allZones(): string[] {
  return (zones ??= [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])]);
}
