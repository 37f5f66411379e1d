// A neuron's top examples: what it does and what its graph predicts, one above the other.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { figure, grouped } from "/static/format.js";
import { key, running } from "/static/text.js";

const FIRST = 6;
const MORE = 20;
const AROUND = 40; // tokens before the pivot that are shown at first
const AFTER = 12;

/** Return the section of a neuron's top examples, filled when they come. */
export function showExamples(at) {
  const place = make("div", { class: "examples", "aria-busy": "true" });
  load(place, at, FIRST);
  return make("section", { "aria-labelledby": "examples" }, make("h2", { id: "examples" }, "Top examples"), key(true), place);
}

async function load(place, at, limit) {
  try {
    const told = await ask(`${at.api}/examples`, { model: at.model, limit }, at.signal);
    const more = told.total > told.examples.length
      ? make("button", { class: "more", type: "button", onclick: () => load(place, at, MORE) }, `Show all ${grouped(told.total)}`) : null;
    fill(place, told.examples.length ? told.examples.map(exampleOf) : make("p", { class: "nothing" }, "No examples: the neuron never fired on the corpus."), more);
  } catch (error) {
    if (!isGivenUp(error)) fill(place, make("p", { class: "refusal" }, error.message));
  }
  place.removeAttribute("aria-busy");
}

function exampleOf(example) {
  const text = make("div");
  const [start, stop] = [Math.max(0, example.pivot - AROUND), Math.min(example.tokens.length, example.pivot + AFTER)];
  const cut = start > 0 || stop < example.tokens.length;
  const whole = cut ? make("button", { class: "quiet", type: "button", "aria-expanded": "false", onclick: toggle }, "whole window") : null;
  function toggle() {
    const open = whole.getAttribute("aria-expanded") !== "true";
    whole.setAttribute("aria-expanded", String(open));
    show(open ? 0 : start, open ? example.tokens.length : stop);
  }
  function show(from, to) {
    fill(text, running(example.tokens.slice(from, to), { pivot: example.pivot - from }));
    text.firstChild.classList.toggle("starts-inside", from > 0);
    text.firstChild.classList.toggle("ends-inside", to < example.tokens.length);
  }
  show(start, stop);
  return make("article", { class: "example" },
    make("p", { class: "about faint" }, make("span", { class: "rank" }, `${example.rank + 1}`), `activation ${figure(example.activation)}`,
      make("span", { class: "split", title: example.split === "test" ? "kept apart to judge the graph" : "the graph was built from it" }, example.split), whole),
    text);
}
