/** Styles that the views of sessions and additions share. */

import { css } from "lit";

export const sharedStyles = css`
  details > summary {
    cursor: pointer;
    inline-size: fit-content;
    min-block-size: 24px;
    font-weight: 600;
    font-size: 0.92em;
    border-radius: 4px;
  }
  .dates small {
    margin-inline-start: 6px;
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
`;
