// @vitest-environment node
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { SessionBooking } from "../src/element/element.js";
import { readReference, writeReference, type Reference } from "./reference.js";

describe("the reference of the element", () => {
  let reference: Reference;
  beforeAll(() => {
    reference = readReference();
    // Lit completes the properties' declarations when their attributes are first asked for.
    expect(SessionBooking.observedAttributes).toContain("mentor");
  });

  it("names every part, and no other", () => {
    expect(reference.element.cssParts?.map((part) => part.name).sort()).toEqual(reference.usedParts);
  });

  it("names every custom property, and no other", () => {
    expect(reference.element.cssProperties?.map((property) => property.name).sort()).toEqual(reference.usedProperties);
  });

  it("describes every property that is public", () => {
    const described = reference.element.members?.filter((member) => member.description).map((member) => member.name);
    const declared = [...SessionBooking.elementProperties].filter(([, options]) => !options.state);
    expect(described).toEqual(expect.arrayContaining(declared.map(([name]) => name)));
  });

  it("has the events that the demo page shows", () => {
    const [, shown = "[]"] = /for \(const name of (\[.*?\])\)/s.exec(readFileSync("../api/templates/demo.js.j2", "utf8")) ?? [];
    expect(JSON.parse(shown)).toEqual(reference.element.events?.filter((event) => event.description).map((event) => event.name));
  });

  // `npm run reference` writes the page.
  it("is the page in docs", async () => {
    const attributes = [...SessionBooking.elementProperties]
      .filter(([, options]) => typeof options.attribute === "string")
      .map(([name, options]) => [String(options.attribute), String(name)] as const);
    await expect(writeReference(reference, new Map(attributes))).toMatchFileSnapshot("../../docs/component-reference.md");
  });
});
