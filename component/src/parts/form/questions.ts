/** The questions of a listing or a group: their fields, which answers are missing, and what a request has of them. */

import { html, nothing, type TemplateResult } from "lit";
import type { Answers, Question } from "../../api/types.js";
import type { Asked, Rendered } from "../../booking/contracts.js";
import { answerField, type FieldErrors } from "../../booking/state.js";
import type { Shown } from "../../i18n/language.js";
import { renderErrors, valueOf } from "../../ui/view.js";
import { questionWords } from "./words.js";

const YES = "yes";

export function renderQuestions(shown: Shown, asked: Asked): Rendered {
  return html`${asked.questions.map((question) => renderQuestion(shown, asked, question))}`;
}

function renderQuestion(shown: Shown, { answers, errors, prefix, answer }: Asked, question: Question): TemplateResult {
  const { id, label, kind, required } = question;
  const field = `${prefix}-${id}`;
  const value = answers[id] ?? "";
  const reasons = errors[answerField(id)];
  const invalid = reasons ? "true" : "false";
  const change = (event: Event): void => answer(id, valueOf(event));
  return html`<div class="field">
    <label for=${field} dir="auto"
      >${label} ${required ? nothing : html`<span class="muted">(${shown.words.form.optional})</span>`}</label
    >
    ${kind === "text"
      ? html`<textarea
          id=${field}
          rows="2"
          dir="auto"
          ?required=${required}
          .value=${value}
          aria-invalid=${invalid}
          aria-describedby="${field}-error"
          @input=${change}
        ></textarea>`
      : html`<select
          id=${field}
          ?required=${required}
          data-value=${value}
          aria-invalid=${invalid}
          aria-describedby="${field}-error"
          @change=${change}
        >
          ${optionsOf(shown, question).map(([each, name]) => html`<option value=${each}>${name}</option>`)}
        </select>`}
    ${renderErrors(`${field}-error`, reasons)}
  </div>`;
}

/** The values of a field with their names; the first stands for no answer. */
function optionsOf(shown: Shown, { kind, choices, required }: Question): [string, string][] {
  const words = questionWords(shown);
  const none: [string, string] = ["", required ? words.choose : "–"];
  const yesOrNo: [string, string][] = [
    [YES, words.yes],
    ["no", words.no],
  ];
  return [none, ...(kind === "yes_no" ? yesOrNo : (choices ?? []).map((each): [string, string] => [each, each]))];
}

/** The questions that have to be answered, and are not; null where there are none. */
export function missingAnswers(shown: Shown, questions: readonly Question[], answers: Answers): FieldErrors | null {
  const missing = questions.filter(({ id, required }) => required && !answers[id]?.trim());
  const errors = missing.map(({ id }) => [answerField(id), [questionWords(shown).missing]]);
  return errors.length ? (Object.fromEntries(errors) as FieldErrors) : null;
}

/** What a request has of the answers; nothing where none is given. */
export function answersIn(questions: readonly Question[], answers: Answers): { answers?: Record<string, string | boolean> } {
  const given = questions.flatMap(({ id, kind }) => {
    const answer = answers[id]?.trim();
    return answer ? [[id, kind === "yes_no" ? answer === YES : answer] as const] : [];
  });
  return given.length ? { answers: Object.fromEntries(given) } : {};
}
