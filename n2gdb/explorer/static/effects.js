// What a neuron writes: the tokens whose logits it raises and lowers most.

import { make } from "/static/dom.js";
import { figure } from "/static/format.js";
import { token } from "/static/token.js";

const NOTE = "direct effect at the maximum activation: output weights through the final norm and the unembedding, above the mean over the vocabulary";

/** Return the section of a neuron's effects; nothing for a database without them. */
export function showEffects(neuron) {
  if (!neuron.promotes.length && !neuron.suppresses.length) return null;
  return make("section", { class: "effects", "aria-labelledby": "effects", title: NOTE },
    make("h2", { id: "effects" }, "Writes"),
    line("promotes", neuron.promotes), line("suppresses", neuron.suppresses));
}

function line(word, written) {
  if (!written.length) return null;
  return make("p", {}, make("span", { class: "faint" }, `${word} `),
    written.map((each) => [token(each.shown, { title: `logit ${figure(each.logit)}` }), " "]));
}
