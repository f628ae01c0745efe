/** The words of the lazy part "following". */

import { partWords, type Shown } from "../../i18n/language.js";

const en = {
  pending: "We are still preparing its details …",
  late: "This takes longer than usual. Your session is booked all the same, and you will be notified.",
  withdraw: "Withdraw the request",
  withdrawOne: (time: string) => `Withdraw only the request for ${time}`,
  lookAgain: "Look again",
  declined: "The coach has declined your request",
  declinedReason: (reason: string) => `Reason: ${reason}`,
  withdrawn: "Your request has been withdrawn",
  expired: "The coach did not answer in time",
};

const de: typeof en = {
  pending: "Die Einzelheiten werden noch vorbereitet …",
  late: "Das dauert länger als sonst. Ihre Sitzung ist trotzdem gebucht, und Sie werden benachrichtigt.",
  withdraw: "Anfrage zurückziehen",
  withdrawOne: (time) => `Nur die Anfrage für ${time} zurückziehen`,
  lookAgain: "Noch einmal nachsehen",
  declined: "Der Coach hat Ihre Anfrage abgelehnt",
  declinedReason: (reason) => `Grund: ${reason}`,
  withdrawn: "Ihre Anfrage wurde zurückgezogen",
  expired: "Der Coach hat nicht rechtzeitig geantwortet",
};

export function followingWords(shown: Shown): typeof en {
  return partWords("following", { en, de }, shown);
}
