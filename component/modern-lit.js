/**
 * Lit's styles for browsers with constructed style sheets, which all targets of the build are; without its ways for
 * others, and without values in `css` templates, which there are none of.
 */

const MODULE = /\/@lit\/reactive-element\/css-tag\.js$/;
const SOURCE = `
export class CSSResult {
  constructor(text) { this.cssText = text; }
  get styleSheet() {
    if (!this.sheet) (this.sheet = new CSSStyleSheet()).replaceSync(this.cssText);
    return this.sheet;
  }
  toString() { return this.cssText; }
}
export const unsafeCSS = (text) => new CSSResult(String(text));
export const css = ([text]) => new CSSResult(text);
export const adoptStyles = (root, styles) => {
  root.adoptedStyleSheets = styles.map((style) => style.styleSheet ?? style);
};
export const getCompatibleStyle = (style) => style;
export const supportsAdoptingStyleSheets = true;
`;

/** @returns {import("vite").Plugin} */
export function modernLit() {
  return { name: "modern-lit", apply: "build", load: (id) => (MODULE.test(id) ? SOURCE : null) };
}
