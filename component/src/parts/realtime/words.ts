/** The words of the live part. */

import { partWords, type Shown } from "../../i18n/language.js";
import type { Plural } from "../../i18n/plural.js";

const en = {
  live: "Live",
  liveHint: "Changes appear here by themselves.",
  connecting: "Connecting …",
  reconnecting: "Reconnecting …",
  offline: "Offline",
  notLive: "Not live",
  asOf: (time: string) => `Free times as of ${time}.`,
  taken: "just taken",
  freed: "free again",
  oneTaken: (time: string) => `${time} has just been taken.`,
  manyTaken: { one: "{n} time has just been taken.", other: "{n} times have just been taken." } as Plural,
  withdraw: "Do not send it",
  sendNow: "Send it now",
  queuedHint: "It is sent as soon as you are online again. Until then, this time is not booked yet.",
  signIn: "Please sign in: it is sent after that.",
  otherPerson: "Another person is signed in. It is sent only as the person who made it.",
  wasSent: "It may have reached us already. If it has, you find it among your sessions.",
  waitsSince: (time: string) => `Waiting since ${time}. You can close this page: it is sent when you come back within a day.`,
  waitsHere: (time: string) => `Waiting since ${time}. Please keep this page open.`,
  notSent: (time: string) => `Your booking for ${time} was not sent: there was no connection in time.`,
  accepted: (time: string) => `Your request for ${time} was accepted.`,
  dismiss: "Dismiss",
};

export type LiveWords = typeof en;

const de: LiveWords = {
  live: "Live",
  liveHint: "Änderungen erscheinen hier von selbst.",
  connecting: "Verbindung wird hergestellt …",
  reconnecting: "Verbindung wird wiederhergestellt …",
  offline: "Offline",
  notLive: "Nicht live",
  asOf: (time) => `Freie Termine mit Stand von ${time}.`,
  taken: "gerade vergeben",
  freed: "wieder frei",
  oneTaken: (time) => `${time} wurde gerade vergeben.`,
  manyTaken: { one: "{n} Termin wurde gerade vergeben.", other: "{n} Termine wurden gerade vergeben." },
  withdraw: "Nicht senden",
  sendNow: "Jetzt senden",
  queuedHint: "Sie wird gesendet, sobald Sie wieder online sind. Bis dahin ist der Termin noch nicht gebucht.",
  signIn: "Bitte melden Sie sich an: Danach wird sie gesendet.",
  otherPerson: "Eine andere Person ist angemeldet. Gesendet wird sie nur unter dem Konto, mit dem sie gemacht wurde.",
  wasSent: "Vielleicht ist sie schon bei uns angekommen. Dann finden Sie sie unter Ihren Sitzungen.",
  waitsSince: (time) =>
    `Wartet seit ${time}. Sie können diese Seite schließen: Gesendet wird, wenn Sie innerhalb eines Tages wiederkommen.`,
  waitsHere: (time) => `Wartet seit ${time}. Bitte lassen Sie diese Seite geöffnet.`,
  notSent: (time) => `Ihre Buchung für ${time} wurde nicht gesendet: Es gab nicht rechtzeitig eine Verbindung.`,
  accepted: (time) => `Ihre Anfrage für ${time} wurde angenommen.`,
  dismiss: "Schließen",
};

export function liveWords(shown: Shown): LiveWords {
  return partWords("live", { en, de }, shown);
}
