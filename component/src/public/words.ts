/** The words by which a page may replace the component's own. */

import type { Words } from "../i18n/en.js";
import type { ExtrasWords } from "../i18n/enhanced/words.js";
import type { courseWords } from "../parts/course/words.js";
import type { directoryWords } from "../parts/directory/words.js";
import type { followingWords } from "../parts/following/words.js";
import type { movingWords } from "../parts/moving/words.js";
import type { questionWords } from "../parts/form/words.js";
import type { refusedWords } from "../parts/refused/words.js";
import type { liveWords } from "../parts/realtime/words.js";

type Some<Texts> = { [Name in keyof Texts]?: Texts[Name] extends Record<string, unknown> ? Partial<Texts[Name]> : Texts[Name] };

/** By the part; `session` is sessions, series, groups and refused times. */
export type PartWords = {
  readonly course?: Partial<ReturnType<typeof courseWords>>;
  readonly directory?: Partial<ReturnType<typeof directoryWords>>;
  readonly following?: Partial<ReturnType<typeof followingWords>>;
  readonly moving?: Partial<ReturnType<typeof movingWords>>;
  readonly questions?: Partial<ReturnType<typeof questionWords>>;
  readonly live?: Partial<ReturnType<typeof liveWords>>;
  readonly refused?: Partial<ReturnType<typeof refusedWords>>;
  readonly session?: Some<ExtrasWords>;
};

/** Single texts, or some of a group; `parts` is for lazy parts. */
export type OwnWords = Some<Omit<Words, "parts">> & { readonly parts?: PartWords };
