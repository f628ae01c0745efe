/** The entry: defines the elements. */

import { defineElements } from "./compatibility.js";

export { SessionBooking } from "./element.js";
export { ApiError } from "./api/errors.js";

defineElements();
