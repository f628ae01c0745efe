// @vitest-environment node
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";

const FOLDER = "../api/component/";
const BASIC_BYTES = 25_000;
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

it("a lazy part is small", () => {
  for (const name of Object.values(manifest.parts)) expect(gzipped(name), name).toBeLessThanOrEqual(PART_BYTES);
});
