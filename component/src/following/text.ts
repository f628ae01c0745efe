/** The words of the lazy part "following". */

import { languageOf } from "../text/index.js";

const en = {
  late: "This takes longer than usual. Your session is booked all the same, and you will be notified.",
  lookAgain: "Look again",
};

const de: typeof en = {
  late: "Das dauert länger als sonst. Ihre Sitzung ist trotzdem gebucht, und Sie werden benachrichtigt.",
  lookAgain: "Noch einmal nachsehen",
};

export function followingWords(locale: string): typeof en {
  return languageOf(locale) === "de" ? de : en;
}
