// @vitest-environment node
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";

const FOLDER = "../api/component/";
const BASIC_BYTES = 28_000;
const PART_BYTES = 15_000;

const manifest = JSON.parse(readFileSync(`${FOLDER}manifest.json`, "utf8")) as {
  files: Record<string, { size: number }>;
  parts: Record<string, string>;
};
const gzipped = (name: string): number => gzipSync(readFileSync(FOLDER + name), { level: 9 }).length;

it("basic is small, and needs no other file", () => {
  expect(gzipped("session-booking.js")).toBeLessThanOrEqual(BASIC_BYTES);
  const source = readFileSync(`${FOLDER}session-booking.js`, "utf8");
  expect(source).not.toMatch(/\bfrom\s*["'`]|\bimport\s*["'`]/);
});

const named = (name: string): string =>
  Object.keys(manifest.files).find((file) => new RegExp(`^${name}-.{8}\\.js$`).test(file)) ?? "";

// Files that load together in one view: a part loads the view that is shown.
it.each([
  ["realtime", ["realtime"]],
  ["enhanced, where people book", ["enhanced", "extras"]],
  ["enhanced, where a session is shown", ["enhanced", "session"]],
])("the part %s is small", (_, names) => {
  const sizes = names.map((name) => gzipped(manifest.parts[name] ?? named(name)));
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(PART_BYTES);
});
