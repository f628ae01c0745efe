/** The words of the component in German. */

import type { Words } from "./en.js";

export const de: Words = {
  code: "de",
  loading: "Wird geladen …",
  chooseTime: "Zeit auswählen",
  tryAgain: "Noch einmal versuchen",
};
