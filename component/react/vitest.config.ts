import { fileURLToPath } from "node:url";
import type { Alias } from "vite";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

declare module "vitest" {
  interface ProvidedContext {
    /** The major version of the React that a project runs with. */
    reactVersion: string;
  }
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const source = { find: "@tutelage/react", replacement: at("src/index.ts") };
const react18 = { find: /^(react|react-dom)(?=$|\/)/, replacement: `${at("../tests/react-18/node_modules")}/$1` };

export default defineConfig({
  test: { projects: [withReact("19", [source], "tests/**/*.test.ts"), withReact("18", [source, react18])] },
});

function withReact(version: string, alias: Alias[], ...more: string[]): TestProjectInlineConfiguration {
  return {
    resolve: { alias },
    test: {
      name: `React ${version}`,
      environment: "happy-dom",
      include: ["tests/**/*.test.tsx", ...more],
      provide: { reactVersion: version },
    },
  };
}
