/** Entry of the lazy part "enhanced". */

import { nothing } from "lit";
import type { AttachEnhanced } from "../parts.js";

export const attach: AttachEnhanced = () => ({
  renderAvailability: () => nothing,
  renderRefused: () => nothing,
  renderSeriesFields: () => nothing,
  recurrence: () => null,
  renderSeries: () => nothing,
  renderSession: () => nothing,
  sessionChanged: () => undefined,
  dispose: () => undefined,
});
