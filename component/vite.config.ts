import { defineConfig } from "vitest/config";
import { manifest } from "./manifest-plugin.js";
import { minifyTemplates } from "./minify-templates.js";
import { plainImports } from "./plain-imports.js";

export default defineConfig({
  build: {
    outDir: "../api/component",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: false,
    rolldownOptions: {
      input: { "session-booking": "src/session-booking.ts", "service-worker": "src/service-worker.ts" },
      preserveEntrySignatures: "allow-extension",
      output: {
        format: "es",
        entryFileNames: "[name].js",
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name]-[hash][extname]",
      },
    },
  },
  server: {
    // The API of `make up`: `API=http://127.0.0.1:8000 npm run dev`.
    proxy: { "/api": { target: process.env["API"] ?? "http://127.0.0.1:8000" } },
  },
  plugins: [plainImports(), minifyTemplates(), manifest()],
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
