// A box to type a text into, and what the graph predicts for each of its tokens.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { score } from "/static/format.js";
import { key, running } from "/static/text.js";

const PATIENCE = 120; // milliseconds

/** Return the section where a text is tried on a neuron. */
export function predictionBox(at) {
  const shown = make("div", { class: "prediction" });
  const pattern = make("p", { class: "pattern-line faint", role: "status", "aria-live": "polite" });
  const box = make("textarea", { id: "try", rows: 2, maxlength: 2000, spellcheck: "false", dir: "auto",
    placeholder: "Type or paste a text", oninput: changed });
  let asking = new AbortController();
  let waiting;
  function changed() {
    clearTimeout(waiting);
    asking.abort();
    waiting = setTimeout(predict, PATIENCE);
  }
  async function predict() {
    asking = new AbortController();
    if (!box.value) return fill(shown);
    try {
      const { tokens } = await ask(`${at.api}/predict`, { text: box.value, model: at.model }, asking.signal);
      fill(shown, running(tokens, { both: false, onlook: (token) => look(token) }), key(false));
      summarise(tokens);
    } catch (error) {
      if (!isGivenUp(error)) fill(shown, make("p", { class: "refusal" }, error.message));
    }
    return undefined;
  }
  function summarise(tokens) {
    const firing = tokens.filter((token) => token.predicted > 0);
    fill(pattern, firing.length ? `${firing.length} of ${tokens.length} tokens fire: point at one to see its pattern.` : `None of ${tokens.length} tokens fires.`);
  }
  function look(token) {
    if (!token.pattern) return fill(pattern, make("bdi", {}, token.shown), " matches no pattern");
    return fill(pattern, make("bdi", {}, token.shown), ` ${score(token.predicted)} by the pattern `, make("bdi", { class: "written" }, token.pattern));
  }
  return make("section", { class: "try", "aria-labelledby": "try-title" },
    make("h2", { id: "try-title" }, make("label", { for: "try" }, "Try a text")), box, shown, pattern);
}
