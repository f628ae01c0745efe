/** Takes the white space out of the `html` and `css` templates, which minifiers of JavaScript leave as they are. */

const MINIFIERS = {
  html: (text) =>
    text
      .replace(/>\s*\n\s*</g, "><")
      .replace(/\s*\n\s*/g, " ")
      // Not before a slash, which would become a part of the value.
      .replace(/="([\w-]+)"(?=[\s>])/g, "=$1"),
  css: (text) =>
    text
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\s+/g, " ")
      .replace(/\s*([{};,>])\s*/g, "$1")
      .replace(/:\s+/g, ":")
      .replace(/;}/g, "}")
      .replace(/\b0\./g, ".")
      .trim(),
};

/** @returns {import("vite").Plugin} */
export function minifyTemplates() {
  return {
    name: "minify-templates",
    apply: "build",
    enforce: "post",
    transform(code, id) {
      if (!id.endsWith(".ts") || !/\b(html|css)`/.test(code)) return null;
      const found = [];
      visit(this.parse(code), (node) => {
        const minify = node.type === "TaggedTemplateExpression" && MINIFIERS[node.tag.name];
        if (minify) for (const { start, end } of node.quasi.quasis) found.push({ start, end, minify });
      });
      let minified = code;
      for (const { start, end, minify } of found.sort((one, other) => other.start - one.start)) {
        minified = minified.slice(0, start) + minify(minified.slice(start, end)) + minified.slice(end);
      }
      return { code: minified, map: null };
    },
  };
}

function visit(node, look) {
  if (Array.isArray(node)) for (const each of node) visit(each, look);
  else if (node && typeof node.type === "string") {
    look(node);
    for (const value of Object.values(node)) if (value && typeof value === "object") visit(value, look);
  }
}
