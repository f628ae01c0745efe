/** The form of a part: sent once at a time, with fields that keep what was entered. */

import { html, nothing, type TemplateResult } from "lit";

export interface PartForm {
  content: unknown;
  /** The label of the button that sends it; null while it cannot be sent. */
  confirm: string | null;
  isBusy: boolean;
  submit: (values: FormData) => unknown;
  /** Further buttons. */
  others?: TemplateResult;
}

export function renderPartForm({ content, confirm, isBusy, submit, others }: PartForm): TemplateResult {
  const send = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!isBusy) void submit(new FormData(event.target as HTMLFormElement));
  };
  // Not `disabled`, which would lose the focus.
  const disabled = isBusy ? "true" : nothing;
  const button = html`<button class="primary" part="button primary" aria-disabled=${disabled}>${confirm}</button>`;
  return html`<form class="form" novalidate aria-busy=${isBusy ? "true" : "false"} @submit=${send}>
    ${content}
    <div class="actions">${confirm ? button : nothing} ${others ?? nothing}</div>
  </form>`;
}
