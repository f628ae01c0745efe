// @vitest-environment node
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const REACT = fileURLToPath(new URL("..", import.meta.url));
const COMPONENT = join(REACT, "..");
const page = mkdtempSync(join(tmpdir(), "tutelage-react-"));

const run = (directory: string, command: string, ...rest: string[]): string =>
  execFileSync(command, rest, { cwd: directory, encoding: "utf8" });

/** A project that has installed the tarball, React and its types, and has the page to copy. */
beforeAll(() => {
  const installed = join(page, "node_modules", "@tutelage", "react");
  mkdirSync(installed, { recursive: true });
  const [tarball] = JSON.parse(run(REACT, "npm", "pack", "--json", "--silent", "--pack-destination", page)) as [
    { filename: string },
  ];
  run(page, "tar", "-xzf", tarball.filename, "-C", installed, "--strip-components=1");
  for (const name of ["react", "@types/react", "csstype"]) {
    mkdirSync(join(page, "node_modules", name, ".."), { recursive: true });
    symlinkSync(join(COMPONENT, "node_modules", name), join(page, "node_modules", name));
  }
  cpSync(join(COMPONENT, "examples", "booking.tsx"), join(page, "booking.tsx"));
  writeFileSync(join(page, "package.json"), JSON.stringify({ type: "module" }));
}, 60_000);

afterAll(() => rmSync(page, { recursive: true }));

describe("the package as it is installed", () => {
  it.each(["bundler", "nodenext"])("has types that are whole for %s", (moduleResolution) => {
    const compilerOptions = {
      ...{ target: "ES2022", module: moduleResolution === "bundler" ? "ESNext" : "NodeNext", moduleResolution },
      ...{ lib: ["ES2022", "DOM", "DOM.Iterable"], types: [], jsx: "react-jsx", strict: true, noEmit: true },
    };
    writeFileSync(join(page, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["booking.tsx"] }));
    run(page, join(COMPONENT, "node_modules", ".bin", "tsc"));
  }, 60_000);

  it("is bundled with the page to copy, marked for the client", async () => {
    const built = (await build({
      ...{ root: page, configFile: false, logLevel: "error" },
      build: { write: false, lib: { entry: "booking.tsx", formats: ["es"] }, rolldownOptions: { external: /^react/ } },
    })) as Rolldown.RolldownOutput[];
    const code = built[0]?.output[0].code ?? "";
    expect(code).toContain("/component/session-booking.js");
    expect(run(page, "head", "-1", "node_modules/@tutelage/react/dist/react/src/booking.js")).toContain("use client");
  }, 60_000);

  it("says what it is and how it is used, and under which licence", () => {
    const files = (name: string): string => run(page, "cat", `node_modules/@tutelage/react/${name}`);
    for (const name of ["UnifiedSessionBooking", "onSuccess", "tokenUrl"]) expect(files("README.md")).toContain(name);
    expect(files("LICENSE")).toContain("Apache License");
    const { main, types } = JSON.parse(files("package.json")) as Record<string, string>;
    // For tools that do not read `exports`.
    for (const name of [main, types]) expect(files(name ?? "")).toContain("UnifiedSessionBooking");
  });

  it("can be imported by a server", () => {
    const names = "Object.keys(await import('@tutelage/react')).join()";
    expect(run(page, process.execPath, "--input-type=module", "-e", `console.log(${names})`).trim()).toBe(
      "EnhancedSessionBooking,RealtimeSessionBooking,SessionBookingForm,UnifiedSessionBooking,loadElement",
    );
  });
});
