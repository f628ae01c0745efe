/** The look of the live part; colours are the element's own. */

import { css } from "lit";

export const liveStyles = css`
  .connection {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.15em 0.5em;
    margin: 0;
    font-size: 0.875em;
    color: var(--muted);
  }
  .connection svg {
    inline-size: 1em;
    block-size: 1em;
    fill: none;
    stroke: currentColor;
    stroke-width: 2.5;
    stroke-linecap: round;
  }
  .connection b {
    display: inline-flex;
    align-items: center;
    gap: 0.35em;
    font-weight: 600;
  }
  .connection.live b {
    color: var(--success);
  }
  .connection.live svg {
    fill: currentColor;
  }
  .connection.reconnecting b,
  .connection.offline b {
    color: var(--warning);
  }
  .notice {
    display: flex;
    justify-content: space-between;
    align-items: center;
    gap: 0.75em;
  }
  .slot:has(.slot-mark) {
    position: relative;
  }
  /* On the border, so that nothing moves. */
  .slot-mark {
    position: absolute;
    inset-block-start: -0.75em;
    inset-inline-start: 50%;
    translate: -50%;
    padding-inline: 0.35em;
    border-radius: 4px;
    background: var(--surface);
    color: var(--muted);
    font-size: 0.6875em;
    font-weight: 600;
    line-height: 1.4;
    white-space: nowrap;
  }
  :host(:dir(rtl)) .slot-mark {
    translate: 50%;
  }
  .slot.taken {
    cursor: not-allowed;
    border-style: dashed;
    border-color: var(--muted);
    color: var(--muted);
    background: none;
    text-decoration: line-through;
    animation: tutelage-fade 4s ease-in forwards;
  }
  .slot:has(.slot-mark.freed) {
    border-color: var(--success);
  }
  .slot-mark.freed {
    color: var(--success);
  }
  .queued {
    display: grid;
    gap: 0.75em;
  }
  @keyframes tutelage-fade {
    75% {
      opacity: 1;
    }
    to {
      opacity: 0.35;
    }
  }
  @keyframes tutelage-turn {
    to {
      rotate: 360deg;
    }
  }
  .connection.reconnecting svg {
    animation: tutelage-turn 1.6s linear infinite;
  }
  @media (prefers-reduced-motion: reduce) {
    .slot.taken,
    .connection.reconnecting svg {
      animation: none;
    }
  }
  @media (forced-colors: active) {
    .slot.taken {
      color: GrayText;
      border-color: GrayText;
    }
  }
`;
