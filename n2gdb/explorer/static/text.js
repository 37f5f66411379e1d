// A text token by token: what a neuron really does above the line, what its graph predicts below it.

import { make } from "/static/dom.js";
import { score } from "/static/format.js";

const LEAST = 0.05; // a bar below this would be a hair that says nothing

/**
 * Show tokens { shown, text, true, predicted, fires, pattern, at } as running text. `both` keeps room for the truth;
 * `pivot` marks the token of the largest activation; `onlook(token, element)` hears of the token looked at.
 */
export function running(tokens, { both = true, pivot = null, onlook = null } = {}) {
  const elements = tokens.map((token, place) => tokenOf(token, place, { both, pivot: place === pivot, looked: onlook !== null }));
  const line = make("p", { class: `running${both ? " both" : ""}`, dir: "ltr" },
    elements.flatMap((element, place) => (breaksAfter(tokens, place) ? [element, make("br")] : [element])));
  if (onlook) watch(line, tokens, elements, onlook);
  return line;
}

// Lines break where the text does; blank lines are told by their signs alone.
function breaksAfter(tokens, place) {
  const next = tokens[place + 1];
  return tokens[place].text.includes("\n") && next !== undefined && !next.text.startsWith("\n");
}

function tokenOf(token, place, { both, pivot, looked }) {
  const { fires } = token;
  const names = ["tok", pivot ? "pivot" : "", fires.true ? "fires-true" : "", fires.predicted ? "fires-predicted" : ""];
  return make("span", { class: names.filter(Boolean).join(" "), "data-at": place, title: saying(token, both),
    tabindex: looked && token.predicted > 0 ? 0 : null,
    style: { "--true": height(token.true), "--predicted": height(token.predicted) } },
  make("bdi", {}, token.shown));
}

function height(activation) {
  return activation === null || activation < LEAST ? 0 : Math.min(activation, 1);
}

function saying(token, both) {
  const said = both && token.true !== null ? [`neuron ${score(token.true)}`] : [];
  said.push(`graph ${score(token.predicted)}`);
  if (token.pattern) said.push(`by ${token.pattern}`);
  return said.join(", ");
}

// The token looked at, and those that its pattern names, are lit.
function watch(line, tokens, elements, onlook) {
  const look = (event) => {
    const place = event.target.closest?.(".tok")?.dataset.at;
    for (const element of elements) element.classList.remove("lit", "looked");
    if (place === undefined) return;
    for (const at of tokens[place].at ?? []) elements[at].classList.add("lit");
    elements[place].classList.add("looked");
    onlook(tokens[place]);
  };
  line.addEventListener("mouseover", look);
  line.addEventListener("focusin", look);
}

/** Say what the two rows are. */
export function key(both) {
  return make("p", { class: "reading-key faint" },
    both ? [make("span", { class: "key true" }, "above: the neuron"), " "] : null,
    make("span", { class: "key predicted" }, both ? "below: its graph" : "below: predicted by the graph"),
    " ", make("span", {}, "a full bar is its largest activation, a tinted token fires (at least 0.50)"));
}
