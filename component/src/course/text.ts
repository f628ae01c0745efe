/** The words of the lazy part "course". */

import { languageOf } from "../text/index.js";

const en = {
  duration: "Duration",
  anyCoach: "Any coach",
  payment: "Payment",
  credit: (bundle: string, left: string) => `${bundle}: ${left}`,
  bundle: "Bundle",
  noPayment: "This course has nothing on sale for this duration.",
  credits: { one: "{n} session left", other: "{n} sessions left" },
};

const de: typeof en = {
  duration: "Dauer",
  anyCoach: "Alle Coaches",
  payment: "Bezahlung",
  credit: (bundle, left) => `${bundle}: ${left}`,
  bundle: "Paket",
  noPayment: "Für diese Dauer gibt es in diesem Kurs kein Angebot.",
  credits: { one: "noch {n} Sitzung", other: "noch {n} Sitzungen" },
};

export function courseWords(locale: string): typeof en {
  return languageOf(locale) === "de" ? de : en;
}
