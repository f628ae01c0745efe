/** The words of the component in English; the type of every other language. */

import type { Plural } from "./plural.js";

export const en = {
  code: "en",
  loading: "Loading …",
  chooseTime: "Choose a time",
  tryAgain: "Try again",
};

/** Words of a language: sentences, and functions of what they name. */
export type Words = typeof en;
export type { Plural };
