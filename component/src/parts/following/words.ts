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
  unpaid: "Your booking awaits its payment",
  payUntil: (amount: string, time: string) => `Please pay ${amount} by ${time}. Your place is kept until then.`,
  timeLeft: (time: string) => `${time} left to pay.`,
  lastMinute: "One minute is left to pay.",
  pay: (amount: string) => `Pay ${amount}`,
  payElsewhere: "Please pay as this site has told you. This page shows when the payment has arrived.",
  notOpened: "The payment page could not be opened.",
  checking: "The time to pay is over. This page looks whether your payment has arrived …",
  cancelUnpaid: "Cancel the booking",
  notPaid: "It was cancelled before it was paid.",
  paid: "Your payment has arrived.",
  lapsed: "Your payment did not arrive in time",
  cancelled: "Your booking has been cancelled",
  refunded: "The amount that you have paid goes back to you.",
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
  unpaid: "Ihre Buchung wartet auf die Zahlung",
  payUntil: (amount, time) => `Bitte zahlen Sie ${amount} bis ${time}. So lange ist der Platz für Sie reserviert.`,
  timeLeft: (time) => `Noch ${time} zum Bezahlen.`,
  lastMinute: "Zum Bezahlen bleibt noch eine Minute.",
  pay: (amount) => `${amount} bezahlen`,
  payElsewhere: "Bitte zahlen Sie so, wie es diese Website angibt. Hier sehen Sie, wenn die Zahlung eingegangen ist.",
  notOpened: "Die Zahlungsseite ließ sich nicht öffnen.",
  checking: "Die Zeit zum Bezahlen ist um. Es wird nachgesehen, ob Ihre Zahlung eingegangen ist …",
  cancelUnpaid: "Buchung stornieren",
  notPaid: "Vor der Zahlung storniert.",
  paid: "Ihre Zahlung ist eingegangen.",
  lapsed: "Ihre Zahlung ist nicht rechtzeitig eingegangen",
  cancelled: "Ihre Buchung wurde storniert",
  refunded: "Was Sie bezahlt haben, wird erstattet.",
};

export function followingWords(shown: Shown): typeof en {
  return partWords("following", { en, de }, shown);
}
