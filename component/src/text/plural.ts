/** Plural forms by Intl.PluralRules. */

const rules = new Map<string, Intl.PluralRules>();

/** The forms of a word; `{n}` stands for the number. */
export interface Plural {
  one: string;
  other: string;
}

/** "1 review", "3 reviews". */
export function plural(language: string, count: number, forms: Plural): string {
  let rule = rules.get(language);
  if (!rule) rules.set(language, (rule = new Intl.PluralRules(language)));
  const form = rule.select(count) === "one" ? forms.one : forms.other;
  return form.replace("{n}", new Intl.NumberFormat(language).format(count));
}
