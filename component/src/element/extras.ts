/** Additions to booking: series, refused times, availability, groups. Loaded unless a session alone is shown. */

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
  readonly series: SeriesForm;
  readonly refused: RefusedTimes;
  readonly groups: Groups;
  readonly #words: () => ExtrasWords;

  constructor(
    private readonly context: PartContext,
    sessionWords: () => SessionWords,
  ) {
    const { element, signal } = context;
    // English is cut in two, other languages are whole.
    this.#words = () => withWords(extrasEn as ExtrasWords, sessionWords());
    adoptStyles(element, signal, extrasStyles);
    this.series = new SeriesForm(context, this.#words);
    this.refused = new RefusedTimes(context, this.#words);
    this.groups = new Groups(context, this.#words);
    renderOn(element, signal, this.series.store, this.refused.store, this.groups.store);
  }

  renderAvailability(): Rendered {
    return renderAvailability(this.context, this.#words(), sentenceLocale(this.context.options.locale));
  }

  renderGroups(): Rendered {
    return renderGroups(this.groups, sentenceLocale(this.context.options.locale));
  }
}
