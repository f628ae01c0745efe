/** Plural forms by Intl.PluralRules. */

const rules = new Map<string, Intl.PluralRules>();

/** The forms of a word, as many as its language has: Polish has `few` and `many`, Arabic all. `{n}` stands for the number. */
export type Plural = { readonly [Category in Intl.LDMLPluralRule]?: string } & { readonly other: string };

/** Forms by name, of which other languages may have more. */
export function pluralForms<Name extends string>(forms: Record<Name, Plural>): Record<Name, Plural> {
  return forms;
}

/** "1 review", "3 reviews". */
export function plural(language: string, count: number, forms: Plural): string {
  let rule = rules.get(language);
  if (!rule) rules.set(language, (rule = new Intl.PluralRules(language)));
  return (forms[rule.select(count)] ?? forms.other).replace("{n}", new Intl.NumberFormat(language).format(count));
}
