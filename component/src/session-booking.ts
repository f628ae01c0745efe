/** The entry: defines the elements. */

import { defineElements } from "./element/names.js";

export { SessionBooking } from "./element/element.js";
export { ApiError } from "./api/errors.js";

defineElements();
