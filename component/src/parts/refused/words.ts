/** The words of the lazy part "refused"; its title and the reasons stand with series, which have them, too. */

import { partWords, type Shown } from "../../i18n/language.js";

const en = {
  starts: "Starting times that cannot be booked:",
  none: "All times of this day are offered.",
  failed: "The reasons could not be loaded.",
  stale: "The coach's own calendar cannot be read at the moment, so that all of these times count as taken.",
  past: "over, or too soon to be booked",
};

const de: typeof en = {
  starts: "Anfangszeiten, die nicht gebucht werden können:",
  none: "Alle Zeiten dieses Tages werden angeboten.",
  failed: "Die Gründe konnten nicht geladen werden.",
  stale: "Der eigene Kalender des Coachs ist gerade nicht lesbar; deshalb gelten alle diese Zeiten als belegt.",
  past: "vorbei oder zu kurzfristig",
};

export function refusedWords(shown: Shown): typeof en {
  return partWords("refused", { en, de }, shown);
}
