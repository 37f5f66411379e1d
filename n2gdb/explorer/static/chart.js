// Small charts of a few lines each: columns of counts, and dots by layer. Every mark says its value.

import { drawn, make } from "/static/dom.js";
import { grouped } from "/static/format.js";

const WIDTH = 420;
const HEIGHT = 190;
const EDGE = { left: 40, right: 12, top: 26, bottom: 42 };

/** Columns { label, count, said }: every `each`-th label is written; `title` names what is counted along. */
export function columns(entries, { title, counted, each = 1, edges = false }) {
  const most = niceCeiling(Math.max(1, ...entries.map((entry) => entry.count)));
  const wide = (WIDTH - EDGE.left - EDGE.right) / entries.length;
  const high = (count) => (count / most) * (HEIGHT - EDGE.top - EDGE.bottom);
  const base = HEIGHT - EDGE.bottom;
  const marks = entries.flatMap((entry, place) => {
    const x = EDGE.left + place * wide;
    return [drawn("rect", { class: "column", x: x + 1, width: Math.max(1, wide - 2), y: base - high(entry.count), height: high(entry.count) },
      drawn("title", {}, entry.said)),
    place % each === 0 ? label(edges ? x : x + wide / 2, base + 15, entry.label, "middle") : null];
  });
  if (edges) marks.push(label(WIDTH - EDGE.right, base + 15, "1.0", "middle"));
  return frame(`${title}: ${entries.map((entry) => entry.said).join("; ")}`, [
    ...ruled([0, most / 2, most], (value) => base - high(value), grouped), ...marks, label((EDGE.left + WIDTH - EDGE.right) / 2, HEIGHT - 6, title, "middle", "axis"),
    label(0, 11, counted, "start", "axis")]);
}

/** Dots from 0 to 1 by layer, a line for each series { name, values: [[layer, value], ...] }. */
export function dots(series, layers, { title }) {
  const x = (layer) => EDGE.left + 14 + (layer / Math.max(1, layers - 1)) * (WIDTH - EDGE.left - EDGE.right - 28);
  const y = (value) => HEIGHT - EDGE.bottom - value * (HEIGHT - EDGE.top - EDGE.bottom);
  const lines = series.map(({ name, values }, place) => drawn("g", { class: `series s${place}` },
    drawn("polyline", { points: values.map(([layer, value]) => `${x(layer)},${y(value)}`).join(" ") }),
    values.map(([layer, value]) => mark(place, x(layer), y(value), `${name}, layer ${layer}: ${value.toFixed(3)}`))));
  const ticks = Array.from({ length: layers }, (_, layer) => label(x(layer), HEIGHT - EDGE.bottom + 15, String(layer), "middle"));
  const keyed = make("p", { class: "chart-key" }, series.map(({ name }, place) => make("span", {},
    drawn("svg", { viewBox: "0 0 12 12", class: `series s${place}`, "aria-hidden": "true" }, mark(place, 6, 6, name)), name)));
  return make("div", {}, frame(title, [...ruled([0, 0.5, 1], y, String), ...ticks, lines,
    label((EDGE.left + WIDTH - EDGE.right) / 2, HEIGHT - 6, "layer", "middle", "axis")]), keyed);
}

// Shapes as well as colours tell series apart.
function mark(place, x, y, said) {
  const title = drawn("title", {}, said);
  if (place === 0) return drawn("circle", { cx: x, cy: y, r: 4 }, title);
  if (place === 1) return drawn("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7 }, title);
  if (place === 2) return drawn("path", { d: `M${x} ${y - 4.5}l4.5 8h-9z` }, title);
  return drawn("path", { d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` }, title);
}

function ruled(values, y, written) {
  return values.flatMap((value) => [
    drawn("line", { class: "rule", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(value), y2: y(value) }),
    label(EDGE.left - 6, y(value) + 4, written(value), "end")]);
}

function label(x, y, text, anchor, kind = "tick") {
  return drawn("text", { class: kind, x, y, "text-anchor": anchor }, text);
}

function frame(said, marks) {
  return drawn("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said }, marks);
}

// The least of 1, 2, 4, 6, 10, 20, 40, ... that is no less: its half is a whole number from 2 on.
function niceCeiling(count) {
  const power = 10 ** Math.floor(Math.log10(count));
  return [1, 2, 4, 6, 10].map((step) => step * power).find((step) => step >= count);
}
