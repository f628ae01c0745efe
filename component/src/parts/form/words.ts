/** The words of the questions of a listing. */

import { partWords, type Shown } from "../../i18n/language.js";

const en = {
  choose: "Please choose",
  yes: "Yes",
  no: "No",
  missing: "Please answer this question.",
};

const de: typeof en = {
  choose: "Bitte auswählen",
  yes: "Ja",
  no: "Nein",
  missing: "Bitte beantworten Sie diese Frage.",
};

export function questionWords(shown: Shown): typeof en {
  return partWords("questions", { en, de }, shown);
}
