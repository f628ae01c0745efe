/** The look: custom properties that pages may set, both colour schemes, logical properties for both directions. */

import { css } from "lit";

export const styles = css`
  :host {
    --accent: var(--tutelage-accent, light-dark(#1556c5, #8ab4ff));
    --on-accent: var(--tutelage-on-accent, light-dark(#fff, #06183a));
    --text: var(--tutelage-text, light-dark(#18212d, #e8ecf2));
    --surface: var(--tutelage-surface, light-dark(#fff, #14191f));
    --muted: var(--tutelage-muted, color-mix(in srgb, var(--text) 72%, var(--surface)));
    --control: var(--tutelage-control, color-mix(in srgb, var(--text) 52%, var(--surface)));
    --line: var(--tutelage-line, color-mix(in srgb, var(--text) 20%, var(--surface)));
    --raised: var(--tutelage-raised, color-mix(in srgb, var(--text) 5%, var(--surface)));
    --danger: var(--tutelage-danger, light-dark(#b3261e, #ffb4ab));
    --success: var(--tutelage-success, light-dark(#146c39, #7fd8a0));
    --warning: var(--tutelage-warning, light-dark(#8a5300, #ffc46b));
    --radius: var(--tutelage-radius, 10px);
    --gap: var(--tutelage-gap, 16px);
    --tint: color-mix(in srgb, var(--accent) 12%, var(--surface));
    display: block;
    container-type: inline-size;
    color: var(--text);
    font: 1rem/1.5 var(--tutelage-font, system-ui, sans-serif);
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
  :host([theme="auto"]) {
    color-scheme: light dark;
  }
  * {
    box-sizing: border-box;
    margin: 0;
    padding: 0;
    unicode-bidi: plaintext;
  }
  .root {
    display: grid;
    gap: calc(var(--gap) * 1.25);
    padding: var(--gap);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.4);
    overflow-wrap: anywhere;
    hyphens: auto;
    font-variant-numeric: tabular-nums;
  }
  .root > * {
    min-inline-size: 0;
  }
  /* Narrow columns of our own words have room for the longest. */
  :is(dt, label, legend, summary, button, .button) {
    overflow-wrap: break-word;
  }
  :is(h2, h3, h4, h5) {
    font-size: 1.05em;
    line-height: 1.3;
    font-weight: 650;
  }
  h2 {
    font-size: 1.25em;
  }
  h5 {
    margin-block: 12px 0;
    font-size: 0.85em;
  }
  [data-focus]:focus {
    outline: none;
  }
  ul {
    list-style: none;
  }
  :is(.muted, .facts, .hold, .error, .zone, dt, label, legend) {
    font-size: 0.92em;
  }
  :is(.muted, .zone, dt, th, h5) {
    color: var(--muted);
  }
  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  :is(button, .button, input, select, textarea) {
    font: inherit;
    color: inherit;
    background: var(--surface);
    border: 1px solid var(--control);
    border-radius: var(--radius);
    min-block-size: 42px;
    padding: 8px 14px;
    max-inline-size: 100%;
  }
  :is(button, .button) {
    cursor: pointer;
    font-weight: 600;
    text-decoration: none;
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 8px;
  }
  :is(button, .button):hover,
  .offer:has(:checked) {
    border-color: var(--accent);
    box-shadow: inset 0 0 0 1px var(--accent);
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  button:disabled {
    cursor: default;
    opacity: 0.6;
  }
  .primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  .link {
    justify-self: start;
    text-align: start;
    border-color: transparent;
    padding-inline: 4px;
    color: var(--accent);
    background: none;
  }
  .icon {
    inline-size: 42px;
    padding: 0;
  }
  svg {
    inline-size: 22px;
    fill: none;
    stroke: currentColor;
    stroke-width: 2.2;
  }
  .root:dir(rtl) {
    text-align: right;
  }
  svg:dir(rtl) {
    transform: scaleX(-1);
  }
  :is(input, textarea)[aria-invalid="true"] {
    border-color: var(--danger);
    box-shadow: inset 0 0 0 1px var(--danger);
  }
  fieldset {
    border: 0;
    min-inline-size: 0;
  }
  .field {
    display: grid;
    gap: 4px;
  }
  :is(.field > :first-child, legend) {
    font-weight: 600;
    margin-block-end: 4px;
  }
  :is(.card, .calendar, .fields, .form, .result, .columns) {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: var(--gap);
  }
  .error {
    color: var(--danger);
  }
  .error:empty {
    display: none;
  }

  :is(.person, .outcome, .facts, .head, .zone, .pager, .actions, .message) {
    display: flex;
    gap: 8px 14px;
    align-items: center;
  }
  :is(.facts, .head, .zone, .actions, .message) {
    flex-wrap: wrap;
  }
  :is(.head, .pager, .message) {
    justify-content: space-between;
  }
  .zone {
    min-inline-size: 0;
  }
  .pager {
    margin-block-end: 8px;
  }
  :is(.skeleton, .summary, .message) {
    border-radius: var(--radius);
    background: var(--raised);
  }
  .skeleton {
    min-block-size: 42px;
  }
  :is(.avatar, .mark) {
    flex: none;
    display: grid;
    place-items: center;
    border-radius: 50%;
    font-weight: 650;
  }
  .avatar {
    position: relative;
    inline-size: 68px;
    block-size: 68px;
    overflow: hidden;
    background: var(--tint);
    color: var(--accent);
    font-size: 1.3em;
  }
  img {
    position: absolute;
    inline-size: 100%;
    block-size: 100%;
    object-fit: cover;
  }
  .star {
    color: var(--warning);
  }
  :is(.offers, .submit, .times, .slots, .skeletons) {
    display: grid;
    gap: 8px;
  }
  .offer {
    display: grid;
    grid-template-columns: auto 1fr auto;
    align-items: center;
    gap: 12px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  label.offer {
    cursor: pointer;
    font-size: 1em;
  }
  .offer.single {
    grid-template-columns: 1fr auto;
    background: var(--raised);
    border-color: transparent;
  }
  .offer:has(:checked) {
    background: var(--tint);
  }
  .offer input {
    min-block-size: 0;
    inline-size: 20px;
    block-size: 20px;
    accent-color: var(--accent);
  }

  .zone select {
    color: var(--text);
  }
  table {
    inline-size: 100%;
    border-collapse: collapse;
    table-layout: fixed;
  }
  th {
    font-size: 0.8em;
    padding-block-end: 4px;
    overflow: hidden;
    overflow-wrap: normal;
  }
  td {
    padding: 2px;
    text-align: center;
  }
  .day {
    inline-size: 100%;
    max-inline-size: 48px;
    aspect-ratio: 1;
    min-block-size: 36px;
    padding: 0;
    border: 1px solid transparent;
    background: none;
    border-radius: 50%;
    font-weight: 400;
    color: var(--muted);
    cursor: default;
  }
  .day.free {
    cursor: pointer;
    font-weight: 650;
    color: var(--accent);
    background: var(--tint);
  }
  .day.today {
    text-decoration: underline 2px;
  }
  [aria-selected="true"] .day.free {
    background: var(--accent);
    color: var(--on-accent);
  }
  .times {
    place-content: start stretch;
  }
  .slots,
  .skeletons {
    grid-template-columns: repeat(auto-fill, minmax(min(96px, 45%), 1fr));
  }
  .slot {
    inline-size: 100%;
    padding-inline: 4px;
    border-color: var(--accent);
    color: var(--accent);
  }

  .summary {
    display: grid;
    grid-template-columns: fit-content(40%) 1fr;
    gap: 8px 14px;
    padding: 14px;
  }
  .summary > div {
    display: grid;
    grid-column: 1 / -1;
    grid-template-columns: subgrid;
  }
  .hold {
    color: var(--success);
  }
  .message {
    padding: 12px 14px;
    border: 1px solid var(--line);
    border-inline-start: 4px solid var(--accent);
  }
  .message p {
    flex: 1 16em;
  }
  .danger {
    border-inline-start-color: var(--danger);
  }
  .warning {
    border-inline-start-color: var(--warning);
  }
  .mark {
    inline-size: 44px;
    block-size: 44px;
    background: var(--success);
    color: var(--surface);
    font-size: 1.4em;
  }
  .spinner {
    flex: none;
    inline-size: 1.1em;
    block-size: 1.1em;
    border: 2px solid currentColor;
    border-block-start-color: transparent;
    border-radius: 50%;
    animation: turn 0.8s linear infinite;
  }
  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }

  @container (max-width: 360px) {
    .summary {
      grid-template-columns: minmax(0, 1fr);
    }
    .summary > div {
      gap: 0;
    }
    .actions {
      flex-direction: column;
      align-items: stretch;
    }
  }
  @container (min-width: 620px) {
    .root {
      padding: calc(var(--gap) * 1.5);
    }
    .columns {
      grid-template-columns: 1fr 1fr;
      column-gap: calc(var(--gap) * 1.5);
    }
    .times {
      max-block-size: 27em;
      overflow-y: auto;
      padding: 4px;
      margin: -4px;
    }
    .submit .primary {
      justify-self: start;
      min-inline-size: 14em;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      animation: none !important;
      }
  }
  @media (forced-colors: active) {
    :is([aria-selected="true"] .day.free, .offer:has(:checked)) {
      outline: 3px solid Highlight;
    }
    :is(.avatar, .mark) {
      border: 1px solid;
    }
    .day:not(.free) {
      border: 0;
    }
  }
`;
