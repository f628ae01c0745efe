/** The look of the view of a session. */

import { css } from "lit";

export const sessionStyles = css`
  .status {
    padding: 2px 12px;
    border-radius: 99px;
    border: 1px solid currentColor;
    font-size: 0.85em;
    font-weight: 600;
    color: var(--accent);
  }
  .status.completed {
    color: var(--success);
  }
  .status.cancelled {
    color: var(--danger);
  }
  .session dd,
  .review p {
    white-space: pre-line;
  }
  .written {
    display: block;
  }
  blockquote {
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    white-space: pre-line;
  }
  .session .items {
    list-style: disc;
    padding-inline-start: 1.2em;
  }
  .session .actions:empty {
    display: none;
  }
  .session [aria-disabled] {
    opacity: 0.6;
    cursor: default;
  }
  .star {
    letter-spacing: 0.1em;
  }
  .history ol {
    list-style: none;
    margin-block-start: 10px;
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    display: grid;
    gap: 10px;
  }
  .history time {
    display: block;
  }
  .rating > div {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .rating label {
    position: relative;
    display: grid;
    cursor: pointer;
  }
  .rating input {
    position: absolute;
    inset: 0;
    opacity: 0;
    min-block-size: 0;
    cursor: pointer;
  }
  .rating label span {
    padding: 8px 12px;
    border: 1px solid var(--control);
    border-radius: var(--radius);
  }
  .rating :checked + span {
    border-color: var(--accent);
    background: var(--tint);
    box-shadow: inset 0 0 0 1px var(--accent);
    font-weight: 600;
  }
  .rating :focus-visible + span {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  dialog {
    margin: auto;
    inline-size: min(560px, calc(100vw - 24px));
    max-block-size: calc(100dvh - 24px);
    overflow: auto;
    padding: calc(var(--gap) * 1.25);
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.4);
    overflow-wrap: anywhere;
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 0.5);
  }
  h2:focus {
    outline: none;
  }
  dialog textarea {
    inline-size: 100%;
  }
  @media (forced-colors: active) {
    .rating :checked + span {
      forced-color-adjust: none;
      background: Highlight;
      color: HighlightText;
    }
  }
`;
