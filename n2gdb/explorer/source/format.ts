// Numbers and texts as people read them.

const GROUPED = new Intl.NumberFormat("en-GB");

export const NONE = "–";

type Maybe = number | null | undefined;

/** Write a count with separators. */
export const grouped = (count: Maybe): string => (count === null || count === undefined ? NONE : GROUPED.format(count));

/** Write a share or score to two places. */
export const score = (value: Maybe): string => (value === null || value === undefined ? NONE : value.toFixed(2));

/** Write a raw number to three figures. */
export const figure = (value: Maybe): string =>
  (value === null || value === undefined ? NONE : String(Number(value.toPrecision(3))).replace("-", "\u2212"));

/** Write a duration in milliseconds. */
export const duration = (milliseconds: number): string =>
  milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : milliseconds < 10_000 ? `${GROUPED.format(Math.round(milliseconds))} ms` : `${(milliseconds / 1000).toFixed(1)} s`;

/** Write a count with its noun: 1 row, 2 rows. */
export const counted = (count: number, noun: string, nouns = `${noun}s`): string => `${grouped(count)} ${count === 1 ? noun : nouns}`;

/** Write a token to the letter as a query has it. */
export const literal = (text: string): string =>
  `"${text.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t")}"`;

const MARKS: Record<string, string> = { "\n": "⏎", "\t": "→", "\r": "␍" };

/** Part a text into what is shown as it is and what is marked, as line breaks are. */
export function parted(text: string): { text: string; marked: boolean }[] {
  return text.split(/([\n\t\r])/).filter(Boolean).map((part) => (part in MARKS ? { text: MARKS[part]!, marked: true } : { text: part, marked: false }));
}
