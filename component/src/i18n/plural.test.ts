// @vitest-environment node
import { describe, expect, it } from "vitest";
import { loadWords } from "./language.js";
import { plural, type Plural } from "./plural.js";

const POLISH: Plural = { one: "{n} termin", few: "{n} terminy", many: "{n} terminów", other: "{n} terminu" };
const ARABIC: Plural = { zero: "لا", one: "واحد", two: "اثنان", few: "{n} قليل", many: "{n} كثير", other: "{n} غير" };

describe("a number of things", () => {
  it.each([
    [1, "1 termin"],
    [2, "2 terminy"],
    [5, "5 terminów"],
    [22, "22 terminy"],
    [1.5, "1,5 terminu"],
  ])("is said in Polish: %d", (count, said) => expect(plural("pl", count, POLISH)).toBe(said));

  it("has all six forms of Arabic", () => {
    const said = [0, 1, 2, 3, 11, 100].map((count) => plural("ar-u-nu-latn", count, ARABIC));
    expect(said).toEqual(["لا", "واحد", "اثنان", "3 قليل", "11 كثير", "100 غير"]);
  });

  it("has the form for all others, where the words have none of the language's own", () => {
    expect(plural("pl", 2, { one: "{n} time", other: "{n} times" })).toBe("2 times");
  });

  it("is in own words of a page, by the language that they name", async () => {
    const { code, plurals } = await loadWords("pl", { code: "pl", plurals: { times: POLISH } });
    expect(plural(code, 3, plurals.times)).toBe("3 terminy");
    expect(plurals.reviews.other).toBe("{n} reviews");
  });
});
