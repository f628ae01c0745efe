/** The look of the part; what it shares with the basic one stands there. */

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
  details > summary {
    cursor: pointer;
    inline-size: fit-content;
    min-block-size: 24px;
    font-weight: 600;
    font-size: 0.92em;
    border-radius: 4px;
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
  .refused ul {
    margin-block-start: 6px;
    display: grid;
    gap: 4px;
    font-size: 0.92em;
  }
  .refused li {
    display: flex;
    flex-wrap: wrap;
    gap: 0 10px;
  }
  .dates small {
    margin-inline-start: 6px;
  }
  .availability {
    color: var(--success);
    font-weight: 600;
  }
  .availability.none {
    color: var(--warning);
  }
  .series .field {
    grid-template-columns: minmax(0, 1fr);
    min-inline-size: 0;
  }
  section.series {
    display: grid;
    gap: 8px;
  }
  .groups,
  .groups ul,
  .group {
    display: grid;
    gap: 8px;
  }
  .group {
    gap: 2px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .group form {
    margin-block: 8px;
  }
  .check {
    display: flex;
    gap: 10px;
    align-items: start;
  }
  .check input {
    flex: none;
    inline-size: 24px;
    min-block-size: 24px;
    accent-color: var(--accent);
  }
  .dates {
    max-block-size: 16em;
    overflow: auto;
    display: grid;
    gap: 4px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    font-variant-numeric: tabular-nums;
  }
  .dates .free small {
    color: var(--success);
  }
  .dates .taken small {
    color: var(--danger);
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
