/** The reference of the element: a page written from its JSDoc, its attributes and its default styles. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as analyzer from "@custom-elements-manifest/analyzer";
import type { CustomElement, Package } from "custom-elements-manifest/schema";

// Its own types leave these out.
const { create, ts } = analyzer as unknown as {
  create(options: { modules: unknown[] }): Package;
  ts: { createSourceFile(name: string, text: string, target: number, hasParents: boolean): unknown };
};
const ES2022 = 9;
const SRC = join(import.meta.dirname, "../src");
const read = (path: string): string => readFileSync(join(SRC, path), "utf8");

/** Where the types stand that people need, in the order in which they are shown. */
const TYPES = {
  "core/page.ts": ["SessionActions", "Completion"],
  "core/events.ts": ["SessionBookingEvents"],
  "api/token.ts": ["TokenProvider"],
  "api/types.ts": ["CancellationType", "Booked"],
  "public/words.ts": ["OwnWords"],
};

/** The documentation, and the names that the source uses. */
export interface Reference {
  element: CustomElement;
  usedParts: string[];
  usedProperties: string[];
}

export function readReference(): Reference {
  const module = ts.createSourceFile("element.ts", read("element/element.ts"), ES2022, true);
  const manifest = create({ modules: [module] });
  const element = manifest.modules.flatMap((found) => found.declarations ?? []).find((found) => "tagName" in found);
  const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|css)$/.test(path) && !path.endsWith(".test.ts") && path !== "element/element.ts")
    .map(read)
    .concat(read("element/element.ts").replace(/\/\*\*.*?\*\//gs, ""));
  const all = (pattern: RegExp): string[] =>
    sources.flatMap((source) => [...source.matchAll(pattern)].map(([, name]) => name ?? ""));
  return {
    element: element as CustomElement,
    usedParts: sortedSet(all(/\spart="([a-z ]+)"/g).flatMap((names) => names.split(" "))),
    usedProperties: sortedSet(all(/(--tutelage-[a-z-]+)/g)),
  };
}

/** @param attributes names of properties by their attribute, as the element has them. */
export function writeReference({ element }: Reference, attributes: ReadonlyMap<string, string>): string {
  const attributeOf = new Map([...attributes].map(([attribute, property]) => [property, attribute]));
  const members = (element.members ?? []).filter((member) => member.privacy !== "private" && member.description);
  const fields = members.filter((member) => member.kind === "field");
  const events = (element.events ?? []).filter((event) => event.description);
  const styles = defaultStyles();
  return [
    "# Reference of the booking component",
    "",
    "All that [`<session-booking>`](component.md) takes from a page and gives to it. This page is written from",
    "`component/src/element/element.ts` by `npm run reference`, in `component/`.",
    ...section("Attributes and properties", ["attribute", "property", "type", "default", "meaning"], [
      ...fields.map((field) => [
        code(attributeOf.get(field.name)),
        code(field.name),
        code(field.type?.text && (aliases().get(field.type.text) ?? field.type.text)),
        code(field.default),
        field.description ?? "",
      ]),
    ]),
    "",
    'A flag is on as `show-connection-status` or `show-connection-status="true"`, off with `"false"`, and as the variant has',
    "it where it is left out.",
    ...section("Methods", ["method", "meaning"], [
      ...members.filter((member) => member.kind === "method").map((method) => [code(`${method.name}()`), method.description ?? ""]),
    ]),
    ...section("Events", ["event", "meaning"], events.map((event) => [code(event.name), event.description ?? ""])),
    "",
    "All bubble, and cross shadow roots. The types of their `detail` are [below](#types).",
    ...section("CSS custom properties", ["property", "default, light", "default, dark", "meaning"], [
      ...(element.cssProperties ?? []).map(({ name, description = "" }) => {
        const [light, dark = light] = styles.get(name) ?? [];
        return [code(name), code(light), code(dark), description];
      }),
    ]),
    ...section("Parts", ["`::part(…)`", "what it is"], [
      ...(element.cssParts ?? []).map(({ name, description = "" }) => [code(name), description]),
    ]),
    "",
    "## Types",
    "",
    "```ts",
    ...Object.entries(TYPES).map(([path, names]) => names.map((name) => declarationOf(path, name)).join("\n\n")).join("\n\n").split("\n"),
    "```",
    "",
    "`Session` and `Booking` are what the API answers: see [Sessions](sessions.md) and the API's own documentation.",
    "",
  ].join("\n");
}

function section(title: string, header: string[], rows: string[][]): string[] {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return ["", `## ${title}`, "", line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line)];
}

function code(text: string | undefined): string {
  return text && text !== "undefined" ? `\`${text.replaceAll("\n", " ")}\`` : "";
}

/** The types of properties that have a name, written out. */
function aliases(): Map<string, string> {
  return new Map(
    ["core/page.ts", "api/token.ts"].flatMap((path) =>
      [...read(path).matchAll(/^export type (\w+) = ([^;]+);$/gm)].map(([, name = "", type = ""]) => [name, type] as const),
    ),
  );
}

/** Light and dark, or one for both, by the custom property. */
function defaultStyles(): Map<string, string[]> {
  const found = read("ui/styles.css").matchAll(/var\((--tutelage-[a-z-]+), (.+)\);$/gm);
  return new Map(
    [...found].map(([, name = "", value = ""]) => {
      const both = /^light-dark\((.+), (.+)\)$/.exec(value)?.slice(1);
      // Others are meant by the names that pages give them.
      return [name, both ?? [value.replaceAll(/var\(--(\w+)\)/g, "var(--tutelage-$1)")]];
    }),
  );
}

/** The source of a type with its comment, without `export`. */
function declarationOf(path: string, name: string): string {
  const pattern = `(/\\*\\* (?:(?!\\*/).)*\\*/\n)?export ((?:interface ${name} \\{.*?\n\\})|(?:type ${name} = [^;]*;))`;
  const [, comment = "", type] = new RegExp(pattern, "s").exec(read(path)) ?? [];
  if (!type) throw new Error(`${path} has no type ${name}`);
  return comment + type;
}

function sortedSet(names: string[]): string[] {
  return [...new Set(names)].sort();
}
