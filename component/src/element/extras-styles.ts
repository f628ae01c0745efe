/** The look of what is added to booking. */

import { css } from "lit";

export const extrasStyles = css`
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
`;
