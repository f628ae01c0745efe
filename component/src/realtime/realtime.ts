/** Entry of the lazy part "realtime". */

import { nothing } from "lit";
import type { AttachRealtime } from "../parts.js";

export const attach: AttachRealtime = () => ({
  renderConnection: () => nothing,
  renderSlotMark: () => nothing,
  isTaken: () => false,
  followsSessions: false,
  queue: () => false,
  renderQueued: () => nothing,
  dispose: () => undefined,
});
