/** Choice of the language: English is built in, others are loaded when they are wanted. */

import { en, type Words } from "./en.js";

export type { Words } from "./en.js";
export { plural, type Plural } from "./plural.js";
export { en };

type Language = "en" | "de";

/** In which words, and by which BCP 47 tag for Intl. */
export interface Shown {
  readonly words: Words;
  readonly locale: string;
}

/** The language of the words for a locale: English where there is no other. */
export function languageOf(locale: string): Language {
  return locale.toLowerCase().split("-")[0] === "de" ? "de" : "en";
}

type Group = Record<string, unknown>;

/** The words for a locale, with the page's own; in English, where the language cannot be loaded. */
export async function loadWords(locale: string, own: Readonly<Group> | null = null): Promise<Words> {
  const words: Group = languageOf(locale) === "de" ? (await import("./de.js").catch(() => ({ de: en }))).de : en;
  const merged = Object.entries({ ...words, ...own }).map(([name, value]) => {
    return [name, typeof value === "object" ? { ...(words[name] as Group), ...value } : value];
  });
  return Object.fromEntries(merged) as Words;
}

/** The words of a lazy part, replaced by the page's own where it has some. */
export function partWords<W extends object>(part: string, languages: Record<Language, W>, shown: Shown): W {
  return { ...languages[languageOf(shown.locale)], ...shown.words.parts?.[part] };
}

/** The locale of an element: its own `lang`, or its nearest ancestor's, shadow roots included, or the browser's. */
export function localeOf(element: Element): string {
  const root = element.getRootNode();
  const lang = element.closest("[lang]")?.getAttribute("lang");
  if (!lang && root instanceof ShadowRoot) return localeOf(root.host);
  const locale = lang || navigator.language;
  return isLocale(locale) ? locale : "en";
}

/** The roots in which an element is: shadow roots, and the document. */
export function rootsOf(element: Element): Node[] {
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? [root, ...rootsOf(root.host)] : [root];
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}
