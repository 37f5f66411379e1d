// A neuron's patterns as a list, the strongest first.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { grouped } from "/static/format.js";
import { meter, path } from "/static/token.js";

const FIRST = 12;
const MORE = 100;

/** Return the section of a neuron's patterns, filled when they come. */
export function showPatterns(at) {
  const list = make("ol", { class: "patterns", "aria-busy": "true" });
  const more = make("div");
  load(list, more, at, 0);
  return make("section", { "aria-labelledby": "patterns" }, make("h2", { id: "patterns" }, "Patterns"), list, more);
}

async function load(list, more, at, offset) {
  try {
    const told = await ask(`${at.api}/patterns`, { model: at.model, limit: offset ? MORE : FIRST, offset }, at.signal);
    list.append(...told.patterns.map((pattern) => make("li", {}, meter(pattern.activation), path(pattern.path.steps))));
    const left = told.total - offset - told.patterns.length;
    fill(more, left > 0 ? make("button", { class: "more", type: "button", onclick: () => load(list, more, at, told.total - left) },
      left <= MORE ? `Show ${grouped(left)} more` : `Show ${MORE} more of ${grouped(left)}`) : null);
    if (!told.total) fill(more, make("p", { class: "nothing" }, "No patterns."));
  } catch (error) {
    if (!isGivenUp(error)) fill(more, make("p", { class: "refusal" }, error.message));
  }
  list.removeAttribute("aria-busy");
}
