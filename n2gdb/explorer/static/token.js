// A token as people read it. Its text may be anything at all, so it stands alone in its direction and as text.

import { drawn, make } from "/static/dom.js";
import { score } from "/static/format.js";

const COUNTED = 4; // as many any-tokens in a row are counted, not drawn

/** Show one token: `shown` has its white space visible. */
export function token(shown, attributes = {}) {
  return make("bdi", { ...attributes, class: `token ${attributes.class ?? ""}`.trim() }, shown);
}

/** Show a path in text order: what the query names is marked, the last step is what the neuron fires on. */
export function path(steps) {
  return make("span", { class: "path" }, gathered(steps).map((part) => (Array.isArray(part) ? anyTokens(part.length) : stepOf(part))));
}

// Steps, those that stand for any token gathered into lists of neighbours.
function gathered(steps) {
  const parts = [];
  for (const step of steps) {
    if (step.text !== null) parts.push(step);
    else if (Array.isArray(parts.at(-1))) parts.at(-1).push(step);
    else parts.push([step]);
  }
  return parts;
}

function anyTokens(count) {
  if (count === 1) return token("_", { class: "any", title: "any one token" });
  if (count < COUNTED) return token(Array(count).fill("_").join(" "), { class: "any", title: `any ${count} tokens` });
  return token(`_ ×${count}`, { class: "any", title: `any ${count} tokens` });
}

function stepOf(step) {
  const fires = step.depth === 0;
  const said = [fires ? "fires here" : "context", step.importance === null ? null : `importance ${score(step.importance)}`,
    step.matched ? "named by the query" : null].filter(Boolean).join(", ");
  const kind = fires ? "fires" : "context";
  return step.matched
    ? make("mark", { class: "matched" }, token(step.shown, { class: kind, title: said }))
    : token(step.shown, { class: kind, title: said });
}

/** A value from 0 to 1 as a number and a bar. */
export function meter(value) {
  if (value === null || value === undefined) return make("span", { class: "meter none" }, score(value));
  return make("span", { class: "meter" }, make("span", {}, score(value)), bar(value));
}

/** A thin bar from 0 to 1. */
export function bar(share, kind = "") {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return drawn("svg", { class: `thin ${kind}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("rect", { class: "track", width: 100, height: 4 }), drawn("rect", { class: "value", width, height: 4 }));
}
