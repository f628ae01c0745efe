/** The part's words: English is in it, others are loaded when they are wanted. */

import { languageOf } from "../../text/index.js";
import { en, type SessionWords } from "./en.js";

export type { SessionWords } from "./en.js";
export { en };

export async function loadSessionWords(locale: string): Promise<SessionWords> {
  return languageOf(locale) === "de" ? (await import("./de.js")).de : en;
}
