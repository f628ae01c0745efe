/** The words of the lazy part "moving". */

import { partWords, type Shown } from "../../i18n/language.js";

const en = {
  title: "Move the session to another time",
  now: "It now starts",
  to: "It will start",
  atOnce: "The session moves at once.",
  byAgreement: "The other side gets your proposal. The session moves when they accept it.",
  replaces: "It replaces the time that you have proposed before.",
  other: "Choose another time",
  reason: "Reason",
  reasonHint: "Shown to both of you.",
  move: "Move the session",
  propose: "Propose this time",
  keep: "Keep the time",
  yours: (time: string) => `You have proposed to move it to ${time}.`,
  theirs: (name: string, time: string) => `${name} proposes to move it to ${time}.`,
  between: (time: string) => `It is proposed to move it to ${time}.`,
  party: { mentor: "The coach", mentee: "The client", operator: "The organiser" } as Record<string, string>,
  until: (time: string) => `The proposal expires on ${time}.`,
  expired: "The proposal has expired.",
  accept: "Accept",
  decline: "Decline",
  withdraw: "Withdraw the proposal",
  moved: "The session has been moved.",
  proposed: "Your proposal has been sent.",
  declined: "The proposal has been declined. The session keeps its time.",
  withdrawn: "Your proposal has been withdrawn.",
};

const de: typeof en = {
  title: "Die Sitzung verlegen",
  now: "Jetziger Beginn",
  to: "Neuer Beginn",
  atOnce: "Die Sitzung wird sofort verlegt.",
  byAgreement: "Die andere Seite bekommt Ihren Vorschlag. Nimmt sie ihn an, wird die Sitzung verlegt.",
  replaces: "Er ersetzt die Zeit, die Sie zuvor vorgeschlagen haben.",
  other: "Andere Zeit wählen",
  reason: "Grund",
  reasonHint: "Für beide Seiten sichtbar.",
  move: "Sitzung verlegen",
  propose: "Zeit vorschlagen",
  keep: "Zeit behalten",
  yours: (time) => `Sie haben vorgeschlagen, sie auf ${time} zu verlegen.`,
  theirs: (name, time) => `${name} schlägt vor, sie auf ${time} zu verlegen.`,
  between: (time) => `Es wird vorgeschlagen, sie auf ${time} zu verlegen.`,
  party: { mentor: "Der Coach", mentee: "Die andere Seite", operator: "Der Veranstalter" },
  until: (time) => `Der Vorschlag gilt bis ${time}.`,
  expired: "Der Vorschlag ist abgelaufen.",
  accept: "Annehmen",
  decline: "Ablehnen",
  withdraw: "Vorschlag zurückziehen",
  moved: "Die Sitzung ist verlegt.",
  proposed: "Ihr Vorschlag wurde gesendet.",
  declined: "Der Vorschlag ist abgelehnt. Die Sitzung behält ihre Zeit.",
  withdrawn: "Ihr Vorschlag wurde zurückgezogen.",
};

export function movingWords(shown: Shown): typeof en {
  return partWords("moving", { en, de }, shown);
}
