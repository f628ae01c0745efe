/** What is added to booking: series, refused times, availability, groups. Loaded unless a session alone is shown. */

import type { Recurrence, Series, Session } from "../api/types.js";
import type { PartContext, Rendered } from "../booking/contracts.js";
import { renderOn } from "../core/store.js";
import { renderAvailability } from "../parts/availability/availability.js";
import { extrasStyles } from "./extras-styles.js";
import { adoptStyles } from "../ui/view.js";
import { Groups } from "../parts/groups/groups.js";
import { renderGroups } from "../parts/groups/view.js";
import { RefusedTimes } from "../parts/refused/refused.js";
import { SeriesForm } from "../parts/series/series.js";
import { extrasEn } from "../i18n/enhanced/extras-en.js";
import { sentenceLocale, withWords, type ExtrasWords, type SessionWords } from "../i18n/enhanced/words.js";

export class BookingExtras {
  private readonly words: () => ExtrasWords;
  readonly #series: SeriesForm;
  readonly #refused: RefusedTimes;
  readonly groups: Groups;

  constructor(
    private readonly context: PartContext,
    sessionWords: () => SessionWords,
  ) {
    // English is cut in two, other languages are whole.
    const words = (): ExtrasWords => withWords(extrasEn as ExtrasWords, sessionWords());
    this.words = words;
    const { element, signal } = context;
    adoptStyles(element, signal, extrasStyles);
    this.#series = new SeriesForm(context, words);
    this.#refused = new RefusedTimes(context, words);
    this.groups = new Groups(context, words);
    renderOn(element, signal, this.#series.store, this.#refused.store, this.groups.store);
  }

  get hasMistake(): boolean {
    return this.#series.hasMistake();
  }

  get sessions(): number {
    return this.#series.sessions();
  }

  get recurrence(): Recurrence | null {
    return this.#series.recurrence();
  }

  renderAvailability(): Rendered {
    return renderAvailability(this.context, this.words(), this.#locale);
  }

  renderRefused(day: string): Rendered {
    return this.#refused.render(day, this.#locale);
  }

  renderGroups(): Rendered {
    return renderGroups(this.groups, this.#locale);
  }

  renderSeriesFields(): Rendered {
    return this.#series.render(this.#locale);
  }

  renderSeries(made: Series): Rendered {
    return this.#series.renderResult(made, this.#locale);
  }

  sessionChanged(session: Session): void {
    this.groups.sessionChanged(session);
  }

  get #locale(): string {
    return sentenceLocale(this.context.options.locale);
  }
}
