// @vitest-environment node
import { describe, expect, it } from "vitest";
import { courseWords } from "../parts/course/words.js";
import { directoryWords } from "../parts/directory/words.js";
import { followingWords } from "../parts/following/words.js";
import { movingWords } from "../parts/moving/words.js";
import { questionWords } from "../parts/form/words.js";
import { refusedWords } from "../parts/refused/words.js";
import { liveWords } from "../parts/realtime/words.js";
import { de as sessionDe } from "../i18n/enhanced/de.js";
import { extrasEn } from "../i18n/enhanced/extras-en.js";
import { en as sessionEn, withWords } from "../i18n/enhanced/words.js";
import { de } from "../i18n/de.js";
import { en } from "../i18n/language.js";
import { ApiError } from "../api/errors.js";
import { fieldErrorsFrom } from "../booking/request.js";
import { explain } from "../ui/view.js";

const EN = { locale: "en", words: en };
const DE = { locale: "de", words: en };
/** Words that both languages share. */
const SHARED = ["Coach", "Online", "Live", "Offline", "★"];

/** Every text with its place, such as `form.title`; functions with what they are made of put in. */
function textsOf(words: object, place = ""): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, word] of Object.entries(words)) {
    const at = place ? `${place}.${name}` : name;
    if (typeof word === "object" && word !== null) textsOf(word as object, at).forEach((text, where) => texts.set(where, text));
    else if (name === "reason" || name === "refused") continue; // say the API's own texts in the language
    else if (typeof word === "function") texts.set(at, String((word as (...given: unknown[]) => unknown)(2, 3)));
    else texts.set(at, String(word));
  }
  return texts;
}

describe.each([
  ["the basic part", en, de],
  ["sessions", { ...sessionEn, ...extrasEn }, sessionDe],
  ["live updates", liveWords(EN), liveWords(DE)],
  ["courses", courseWords(EN), courseWords(DE)],
  ["what follows a booking", followingWords(EN), followingWords(DE)],
  ["moving a session", movingWords(EN), movingWords(DE)],
  ["questions", questionWords(EN), questionWords(DE)],
  ["refused times", refusedWords(EN), refusedWords(DE)],
  ["the directory", directoryWords(EN), directoryWords(DE)],
])("the words of %s", (_, english, german) => {
  const [first, second] = [textsOf(english), textsOf(german)];

  it("are all there in German", () => {
    const same = [...first].filter(([at, text]) => second.get(at) === text && !SHARED.includes(text) && /[a-z]{3}/i.test(text));
    expect(same).toEqual([]);
    // Of refusals, English says what the API does not say itself.
    expect([...first.keys()].filter((at) => !second.has(at))).toEqual([]);
  });

  it("address people politely, in the same form", () => {
    for (const text of second.values()) expect(text).not.toMatch(/\b(du|dein\w*|dir|dich)\b/i);
  });

  it("have whole sentences end with a full stop in both", () => {
    const isSentence = (text: string): boolean => /[.?!…]$/.test(text);
    const unlike = [...first].filter(([at, text]) => isSentence(text) !== isSentence(second.get(at) ?? ""));
    expect(unlike).toEqual([]);
  });
});

it("of the API are never shown in English among German ones", () => {
  const refused = new ApiError(409, "some_new_code", "The frobnication of this booking is not possible.");
  expect(explain(en, refused)).toBe(refused.message);
  expect(explain(de, refused)).toBe("Das ist so nicht möglich.");
  expect(de.reason("Longer than maximum length 200.")).toBe("Höchstens 200 Zeichen.");
  expect(de.reason("must be frobnicated\nby the caller")).toBe("Das wird so nicht angenommen.");
  const details = { title: ["Must not be blank."], scheduledAt: ["must be a time"] };
  expect(fieldErrorsFrom(details, de.reason)).toEqual({ title: ["Bitte ausfüllen."], other: ["Das wird so nicht angenommen."] });
  expect(fieldErrorsFrom(details, en.reason)).toEqual({ title: ["Must not be blank."], other: ["scheduledAt: must be a time"] });
});

it("of the lazy parts may be replaced one by one", () => {
  const changes = { code: "fr" };
  const words = { ...en, parts: { course: { payment: "Paiement" } } };
  expect(courseWords({ locale: "en", words })).toEqual({ ...courseWords(EN), payment: "Paiement" });
  expect(followingWords({ locale: "de", words: { ...en, parts: { following: { withdraw: "Retirer" } } } })).toEqual({ ...followingWords(DE), withdraw: "Retirer" });
  expect(withWords(en, changes)).toEqual({ ...en, ...changes });
});
