/** Values that pages give to the element, besides texts and flags. */

import type { CancellationType } from "../api/types.js";

/** How much is shown. */
export type Variant = "basic" | "enhanced" | "realtime";

/** The variant that a page names, in any case; null for a name that is none. */
export function variantOf(name: string): Variant | null {
  const variant = name.toLowerCase();
  return variant === "basic" || variant === "enhanced" || variant === "realtime" ? variant : null;
}

/** The record with which a session is completed. */
export interface Completion {
  notes?: string;
  rating?: number;
  feedback?: string;
  actionItems?: string[];
}

/** The page's own actions instead of the component's calls; a rejected promise is shown as a failure. */
export interface SessionActions {
  onStart?: (sessionId: string) => unknown;
  onComplete?: (sessionId: string, completion: Completion) => unknown;
  /** `type` is not given where an organiser cancels. */
  onCancel?: (sessionId: string, reason: string, type?: CancellationType) => unknown;
}
