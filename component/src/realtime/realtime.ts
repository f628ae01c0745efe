/** Entry of the lazy part "realtime". */

import { nothing } from "lit";
import type { AttachRealtime } from "../parts.js";

export const attach: AttachRealtime = () => ({
  renderConnection: () => nothing,
  renderSlotMark: () => nothing,
  followsSessions: false,
  queue: () => false,
  dispose: () => undefined,
});
