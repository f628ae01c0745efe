/** Additions to booking: series, refused times, availability, groups. Loaded unless a session alone is shown. */

import { html, nothing, type TemplateResult } from "lit";
import { ApiError } from "../api/errors.js";
import type { PartContext, Rendered } from "../booking/contracts.js";
import { Store, renderOn } from "../core/store.js";
import { renderAvailability } from "../parts/availability/availability.js";
import { extrasStyles } from "./extras-styles.js";
import { adoptStyles, explain } from "../ui/view.js";
import { Groups } from "../parts/groups/groups.js";
import { renderGroups } from "../parts/groups/view.js";
import type { RefusedTimes } from "../parts/refused/refused.js";
import { SeriesForm } from "../parts/series/series.js";
import { extrasEn } from "../i18n/enhanced/extras-en.js";
import { sentenceLocale, withWords, type ExtrasWords, type SessionWords } from "../i18n/enhanced/words.js";

export class BookingExtras {
  readonly series: SeriesForm;
  readonly refused = { render: (day: string): Rendered => this.#renderRefused(day) };
  readonly groups: Groups;
  readonly #words: () => ExtrasWords;
  readonly #refused = new Store<{ isOpen: boolean; part: RefusedTimes | null; error: ApiError | null }>({
    isOpen: false,
    part: null,
    error: null,
  });

  constructor(
    private readonly context: PartContext,
    sessionWords: () => SessionWords,
  ) {
    const { element, signal } = context;
    // English is cut in two, other languages are whole.
    this.#words = () => withWords(extrasEn as ExtrasWords, sessionWords());
    adoptStyles(element, signal, extrasStyles);
    this.series = new SeriesForm(context, this.#words);
    this.groups = new Groups(context, this.#words);
    renderOn(element, signal, this.series.store, this.#refused, this.groups.store);
  }

  /** Loaded and read when people want to know. */
  #renderRefused(day: string): TemplateResult {
    const { context } = this;
    const { isOpen, part, error } = this.#refused.state;
    const toggled = async ({ target }: Event): Promise<void> => {
      const details = target as HTMLDetailsElement;
      if (details.open === this.#refused.state.isOpen) return;
      this.#refused.update({ isOpen: details.open, error: null });
      if (!details.open) return;
      try {
        const { RefusedTimes } = await import("../parts/refused/refused.js");
        const loaded = part ?? new RefusedTimes(context, this.#words);
        await loaded.load(day);
        this.#refused.update({ part: loaded });
      } catch {
        this.#refused.update({ error: ApiError.ofPart() });
      }
      await context.element.updateComplete;
      // The list of times may have its own scroll bar.
      details.scrollIntoView({ block: "nearest" });
    };
    const waiting = html`<p class="muted">${error ? explain(context.words, error) : context.words.loading}</p>`;
    return html`<details class="refused" part="refused" ?open=${isOpen} @toggle=${toggled}>
      <summary>${this.#words().refused.title}</summary>
      <div aria-live="polite">${isOpen ? (part?.render(day) ?? waiting) : nothing}</div>
    </details>`;
  }

  renderAvailability(): Rendered {
    return renderAvailability(this.context, this.#words(), sentenceLocale(this.context));
  }

  renderGroups(): Rendered {
    return renderGroups(this.groups, sentenceLocale(this.context));
  }
}
