/** Words of a page in the place of those of the lazy parts. */

import type { courseWords } from "../parts/course/words.js";
import type { directoryWords } from "../parts/directory/words.js";
import type { followingWords } from "../parts/following/words.js";
import type { liveWords } from "../parts/realtime/words.js";
import type { ExtrasWords } from "../i18n/enhanced/words.js";

/** Single texts, or some of a group. */
type Some<Words> = { [Name in keyof Words]?: Words[Name] extends Record<string, unknown> ? Partial<Words[Name]> : Words[Name] };

/** By the part; `session` is sessions, series, groups and refused times. */
export interface PartWords {
  readonly course?: Partial<ReturnType<typeof courseWords>>;
  readonly directory?: Partial<ReturnType<typeof directoryWords>>;
  readonly following?: Partial<ReturnType<typeof followingWords>>;
  readonly live?: Partial<ReturnType<typeof liveWords>>;
  readonly session?: Some<ExtrasWords>;
}
