/**
 * `node generate.js DOCUMENT FILE` writes the types of the schemas that `src/api/types.ts` names.
 *
 * Their shapes alone: another sentence or example in the OpenAPI document makes no other types, nor another order.
 */

import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const SCHEMA = "#/components/schemas/";
const TEXTS = new Set(["description", "example", "examples", "format"]);

const [document, file] = process.argv.slice(2);
const { openapi, info, components } = JSON.parse(readFileSync(document, "utf8"));
const named = readFileSync(new URL("../src/api/types.ts", import.meta.url), "utf8").matchAll(/Schemas\["(\w+)"\]/g);

const schemas = {};
const take = (name) => {
  if (name in schemas) return;
  if (!(name in components.schemas)) throw new Error(`The OpenAPI document has no schema ${name}.`);
  schemas[name] = null;
  schemas[name] = shapeOf(components.schemas[name]);
};
for (const [, name] of named) take(name);
const used = { openapi, info, paths: {}, components: { schemas } };
// A request may leave out a field that has a default.
const types = astToString(await openapiTS(used, { defaultNonNullable: false, alphabetize: true }));
writeFileSync(file, `/** Made by \`make api-types\` from the OpenAPI document; not to be edited. */\n\n${types}`);

/** A part of a schema without its texts; takes the schemas that it names. */
function shapeOf(part) {
  if (Array.isArray(part)) return part.map(shapeOf);
  if (part === null || typeof part !== "object") return part;
  if (part.$ref?.startsWith(SCHEMA)) take(part.$ref.slice(SCHEMA.length));
  // The names of properties are not to be taken for texts.
  const { properties, ...rest } = part;
  const shape = Object.entries(rest).flatMap(([name, value]) => (TEXTS.has(name) ? [] : [[name, shapeOf(value)]]));
  const fields = Object.entries(properties ?? {}).map(([name, value]) => [name, shapeOf(value)]);
  return { ...Object.fromEntries(shape), ...(properties && { properties: Object.fromEntries(fields) }) };
}
