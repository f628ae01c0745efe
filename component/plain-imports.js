/** Leaves out Vite's helper of dynamic imports, which loads style sheets first: there are none. */

/** @returns {import("vite").Plugin} */
export function plainImports() {
  return {
    name: "plain-imports",
    apply: "build",
    enforce: "pre",
    load(id) {
      return id.endsWith("vite/preload-helper.js") ? "export const __vitePreload = (load) => load();" : null;
    },
  };
}
