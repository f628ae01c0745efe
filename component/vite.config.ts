import { defineConfig } from "vitest/config";
import { manifest } from "./manifest-plugin.js";

/** What the basic variant needs, Lit included: one file, the entry, also where lazy parts use some of it, too. */
const BASIC = [
  /\/src\/(api|booking)\//,
  /\/src\/i18n\/(en|language|money|plural|time)\.ts$/,
  /\/src\/core\/(store|telemetry)\.ts$/,
  /\/src\/ui\/(view\.ts|form\.ts|styles\.css)/,
  /\/src\/element\/(element|names|run)\.ts$/,
  /\/src\/session-booking\.ts$/,
  /\/node_modules\/(lit|lit-html|lit-element|@lit\/reactive-element)\/(?!.*directive)/,
  // What several lazy parts share; here, it is counted with none of them.
  /\/src\/core\/work\.ts$/,
];

export default defineConfig({
  build: {
    outDir: "../api/component",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: false,
    lib: { entry: { "session-booking": "src/session-booking.ts", "service-worker": "src/demo/service-worker.ts" }, formats: ["es"] },
    rolldownOptions: {
      preserveEntrySignatures: "allow-extension",
      output: {
        minify: true,
        // Hints to bundlers, which these files have passed.
        comments: { annotation: false },
        entryFileNames: "[name].js",
        chunkFileNames: "[name]-[hash].js",
        codeSplitting: {
          groups: [{ name: "session-booking", test: (id: string) => BASIC.some((each) => each.test(id)) }],
        },
        assetFileNames: "[name]-[hash][extname]",
      },
    },
  },
  server: {
    // The API of `make up`: `API=http://127.0.0.1:8000 npm run dev`.
    proxy: { "/api": { target: process.env["API"] ?? "http://127.0.0.1:8000" } },
  },
  plugins: [manifest()],
  test: {
    // Files of logic alone ask for `node`, by a comment: a page takes longer to make than they do.
    environment: "happy-dom",
    pool: "threads",
    include: ["{src,tests}/**/*.test.ts"],
    setupFiles: "tests/setup.ts",
    // A loaded machine takes its time.
    testTimeout: 30_000,
  },
});
