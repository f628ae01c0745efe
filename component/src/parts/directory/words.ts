/** The words of the lazy part "directory". */

import { partWords, type Shown } from "../../i18n/language.js";

const en = {
  title: "Choose a coach",
  search: "Search by name, topic or headline",
  choose: "See times",
  none: "No coach was found.",
  more: "Show more",
  back: "All coaches",
};

const de: typeof en = {
  title: "Coach auswählen",
  search: "Nach Name, Thema oder Beschreibung suchen",
  choose: "Termine zeigen",
  none: "Es wurde kein Coach gefunden.",
  more: "Mehr zeigen",
  back: "Alle Coaches",
};

export function directoryWords(shown: Shown): typeof en {
  return partWords("directory", { en, de }, shown);
}
