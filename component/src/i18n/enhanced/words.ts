/** The part's words: English is in it, others are loaded when they are wanted. */

import { languageOf } from "../language.js";
import { en, type SessionWords } from "./en.js";

export type { SessionWords } from "./en.js";
export type { ExtrasWords } from "./extras-en.js";
export { en };

/** The locale of dates and amounts: the words' own, since they stand in the same sentences. */
export function sentenceLocale({ options: { locale }, words: { code } }: { options: { locale: string }; words: { code: string } }): string {
  return locale.toLowerCase().split("-")[0] === code ? locale : code;
}

export async function loadSessionWords(locale: string): Promise<SessionWords> {
  return languageOf(locale) === "de" ? (await import("./de.js")).de : en;
}

/** Words with others in their place: single texts, or some of a group. */
export function withWords<T extends object>(words: T, others: object = {}): T {
  const groups = words as Record<string, unknown>;
  const merged = Object.entries(others).map(([name, value]: [string, unknown]) => {
    return [name, typeof value === "object" ? { ...(groups[name] as object), ...value } : value];
  });
  return { ...words, ...Object.fromEntries(merged) } as T;
}
