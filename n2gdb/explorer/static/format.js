// Numbers as people read them.

const GROUPED = new Intl.NumberFormat("en-GB");

export const NONE = "–";

/** Write a count with separators. */
export const grouped = (count) => (count === null || count === undefined ? NONE : GROUPED.format(count));

/** Write a share or score to two places. */
export const score = (value) => (value === null || value === undefined ? NONE : value.toFixed(2));

/** Write a raw activation to three figures. */
export const figure = (value) => (value === null || value === undefined ? NONE : String(Number(value.toPrecision(3))).replace("-", "\u2212"));

/** Write a duration in milliseconds. */
export const duration = (milliseconds) =>
  milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${GROUPED.format(Math.round(milliseconds))} ms`;

/** Write a count with its noun: 1 row, 2 rows. */
export const counted = (count, noun, nouns = `${noun}s`) => `${grouped(count)} ${count === 1 ? noun : nouns}`;
