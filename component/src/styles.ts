/** The look: custom properties that pages may set, both colour schemes, logical properties for both directions. */

import { css } from "lit";

export const styles = css`
  :host {
    --accent: var(--tutelage-accent, light-dark(#0f5bd7, #7db1ff));
    --on-accent: var(--tutelage-on-accent, light-dark(#ffffff, #07193a));
    --text: var(--tutelage-text, light-dark(#1b2430, #e8ecf2));
    --muted: var(--tutelage-muted, light-dark(#556070, #a5b0bf));
    --surface: var(--tutelage-surface, light-dark(#ffffff, #151a21));
    --raised: var(--tutelage-raised, light-dark(#f4f6f9, #1e252e));
    --line: var(--tutelage-line, light-dark(#d5dbe3, #38424f));
    --danger: var(--tutelage-danger, light-dark(#b3261e, #ffb4ab));
    --success: var(--tutelage-success, light-dark(#17693a, #7fd8a0));
    --warning: var(--tutelage-warning, light-dark(#8a5300, #ffc46b));
    --radius: var(--tutelage-radius, 10px);
    --gap: var(--tutelage-gap, 16px);
    display: block;
    color: var(--text);
    font-family: var(--tutelage-font, system-ui, sans-serif);
    line-height: 1.5;
  }
  :host([hidden]) {
    display: none;
  }
  * {
    box-sizing: border-box;
  }
`;
