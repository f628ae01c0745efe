/** Words of a page in the place of those of the lazy parts. */

import type { courseWords } from "../course/text.js";
import type { directoryWords } from "../directory/text.js";
import type { followingWords } from "../following/text.js";
import type { liveWords } from "../realtime/text.js";
import type { ExtrasWords } from "../session/text/index.js";

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
