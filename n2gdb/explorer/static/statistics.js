// A row of figures, each with its name.

import { make } from "/static/dom.js";

/** Show [name, value, note] figures; a value may be an element. */
export function figures(entries) {
  return make("dl", { class: "figures" }, entries.map(([name, value, note]) =>
    make("div", { title: note ?? null }, make("dt", {}, name), make("dd", {}, value))));
}

/** A neuron's state, in words and a sign. */
export function stateBadge(state) {
  const signs = { live: "●", dead: "○", unpredicted: "◐" };
  return make("span", { class: `state ${state}` }, make("span", { "aria-hidden": "true" }, `${signs[state] ?? "●"} `), state);
}
