/** The words of the lazy part "course". */

import { partWords, type Plural, type Shown } from "../../i18n/language.js";

const en = {
  duration: "Duration",
  anyCoach: "Any coach",
  payment: "Payment",
  credit: (bundle: string, left: string) => `${bundle}: ${left}`,
  bundle: "Bundle",
  byCredits: { one: "Paid with a session of your bundle", other: "Paid with {n} sessions of your bundle" } as Plural,
  lateCredit: "A late cancellation uses up the session of your bundle.",
  noPayment: "This course has nothing on sale for this duration.",
  credits: { one: "{n} session left", other: "{n} sessions left" } as Plural,
};

const de: typeof en = {
  duration: "Dauer",
  anyCoach: "Alle Coaches",
  payment: "Bezahlung",
  credit: (bundle, left) => `${bundle}: ${left}`,
  bundle: "Paket",
  byCredits: { one: "Mit einer Sitzung Ihres Pakets bezahlt", other: "Mit {n} Sitzungen Ihres Pakets bezahlt" },
  lateCredit: "Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.",
  noPayment: "Für diese Dauer gibt es in diesem Kurs kein Angebot.",
  credits: { one: "noch {n} Sitzung", other: "noch {n} Sitzungen" },
};

export function courseWords(shown: Shown): typeof en {
  return partWords("course", { en, de }, shown);
}
