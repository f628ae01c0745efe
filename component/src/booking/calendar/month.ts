/** The month: a grid of days, of which those with free slots can be chosen. */

import { html, nothing, type TemplateResult } from "lit";
import type { Slot } from "../../api/types.js";
import { addDays, addMonths, dayOf, formatDay } from "../../i18n/time.js";
import { arrow, count } from "../../ui/view.js";
import type { View } from "../contracts.js";
import { firstWeekdayOf, weekdayOf, weeksOf } from "./slots.js";

export function renderMonth(view: View, days: ReadonlyMap<string, Slot[]>): TemplateResult {
  const { words, locale, state, flow, now } = view;
  const today = dayOf(now, state.zone);
  const title = formatDay(state.month, locale, { month: "long", year: "numeric" });
  const weeks = weeksOf(state.month, firstWeekdayOf(locale));
  const focusable = focusableDay(days, [view.focusedDay, state.day], state.month);
  const isLoading = state.phase === "loading";
  const step = (label: string, path: string, months: 1 | -1): TemplateResult => {
    const isPast = months < 0 && state.month <= today;
    return html`<button
      class="icon"
      part="button"
      aria-label=${label}
      aria-disabled=${isPast ? "true" : nothing}
      @click=${() => isPast || flow.showMonth(months)}
    >
      ${arrow(path)}
    </button>`;
  };
  return html`<section
    class="month"
    part="calendar"
    aria-busy=${isLoading || state.calendar.isLoading ? "true" : "false"}
    ?inert=${isLoading}
  >
    <div class="pager">
      ${step(words.calendar.previous, "m15 6-6 6 6 6", -1)}
      <h3 aria-live="polite">${title}</h3>
      ${step(words.calendar.next, "m9 6 6 6-6 6", 1)}
    </div>
    <table role="grid" aria-label=${title} @keydown=${(event: KeyboardEvent) => move(view, event)}>
      <thead>
        <tr>
          ${(weeks[1] ?? []).map(
            (day) =>
html`<th scope="col">${formatDay(day ?? "", locale, { weekday: "short" })}</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${weeks.map(
          (week) =>
            html`<tr>
              ${week.map((day) =>
                day ? renderDay(view, day, days.get(day)?.length ?? 0, day === today, day === focusable) : html`<td></td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function renderDay(view: View, day: string, free: number, isToday: boolean, isFocusable: boolean): TemplateResult {
  const { words, locale, state, flow } = view;
  const isChosen = day === state.day;
  const name = formatDay(day, locale, { weekday: "long", day: "numeric", month: "long" });
  const times = free ? count(view, free, words.plurals.times) : words.calendar.noTimes;
  return html`<td aria-selected=${isChosen ? "true" : "false"}>
    <button
      class="day ${free ? "free" : ""} ${isToday ? "today" : ""}"
      part="day"
      data-day=${day}
      tabindex=${isFocusable ? "0" : "-1"}
      aria-label=${words.calendar.day(isToday ? `${name} (${words.calendar.today})` : name, times)}
      aria-current=${isToday ? "date" : nothing}
      aria-disabled=${free ? nothing : "true"}
      @click=${() => free && flow.chooseDay(day)}
    >
      ${formatDay(day, locale, { day: "numeric" }).replace(/[^\p{N}]/gu, "")}
    </button>
  </td>`;
}

/** The one day of the grid that the tab key reaches: the one that has the focus, the chosen one, or the first with free times. */
function focusableDay(days: ReadonlyMap<string, Slot[]>, wanted: (string | null | undefined)[], month: string): string {
  return wanted.find((day) => day?.startsWith(month.slice(0, 7))) ?? days.keys().next().value ?? month;
}

/** Arrow keys move by days and weeks, Home and End within the week, Page Up and Page Down by months. */
function move(view: View, event: KeyboardEvent): void {
  const at = (event.target as HTMLElement).dataset["day"];
  // With those, the key is one of the browser's: Alt and an arrow lead back.
  if (!at || event.altKey || event.ctrlKey || event.metaKey) return;
  const grid = event.currentTarget as HTMLElement;
  const forward = getComputedStyle(grid).direction === "rtl" ? -1 : 1;
  const column = (weekdayOf(at) - firstWeekdayOf(view.locale) + 7) % 7;
  const steps: Record<string, number | undefined> = {
    ...{ ArrowLeft: -forward, ArrowRight: forward, ArrowUp: -7, ArrowDown: 7 },
    ...{ Home: -column, End: 6 - column },
  };
  const months: Record<string, number | undefined> = { PageUp: -1, PageDown: 1 };
  const day = event.key in months ? addMonths(at, months[event.key] ?? 0) : addDays(at, steps[event.key] ?? 0);
  if (day === at) return;
  event.preventDefault();
  const { month, zone } = view.state;
  if (day < addMonths(dayOf(view.now, zone), 0)) return;
  if (day < month) view.flow.showMonth(-1);
  else if (day >= addMonths(month, 1)) view.flow.showMonth(1);
  // After the other month has been rendered.
  requestAnimationFrame(() => grid.querySelector<HTMLElement>(`[data-day="${day}"]`)?.focus());
}
