/** Lazy part "views": the form, and what became of the booking. It is loaded once free times are shown. */

export { renderForm } from "./form-view.js";
export { renderResult } from "./result-view.js";
