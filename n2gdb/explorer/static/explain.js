// The Cypher of a query, on demand: each step with its statement, parameters, rows and time.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { counted, duration, grouped } from "/static/format.js";

/** Return a button that shows and hides the steps of a query in a place. */
export function explanation(place, { query, model, signal }) {
  const button = make("button", { type: "button", "aria-expanded": "false", onclick: toggle }, "Cypher");
  async function toggle() {
    if (button.getAttribute("aria-expanded") === "true") {
      button.setAttribute("aria-expanded", "false");
      fill(place);
      return;
    }
    button.setAttribute("aria-expanded", "true");
    try {
      fill(place, stepsOf((await ask("/api/explain", { q: query, model }, signal)).stages));
    } catch (error) {
      if (!isGivenUp(error)) fill(place, make("p", { class: "refusal", role: "alert" }, error.message));
    }
  }
  return button;
}

/** Show steps { step, cypher, parameters, rows, milliseconds, least_rows, most_rows, reads }. */
export function stepsOf(stages) {
  return make("ol", { class: "stages" }, stages.map((stage) => make("li", {},
    make("div", { class: "step" }, make("strong", {}, stage.step), taken(stage)),
    stage.cypher ? make("pre", { tabindex: 0 }, make("code", {}, stage.cypher)) : null,
    parameters(stage.parameters ?? {}))));
}

function taken(stage) {
  const figures = [];
  if (stage.milliseconds !== null) figures.push(counted(stage.rows, "row"), duration(stage.milliseconds));
  if (stage.most_rows !== null) figures.push(`${expected(stage)} expected, ${grouped(stage.reads)} looked at`);
  return figures.length ? make("span", { class: "faint" }, figures.join(", ")) : null;
}

function expected({ least_rows: least, most_rows: most }) {
  if (least === most) return counted(most, "row");
  return least ? `${grouped(least)} to ${counted(most, "row")}` : `at most ${counted(most, "row")}`;
}

function parameters(values) {
  const named = Object.entries(values);
  if (!named.length) return null;
  return make("dl", { class: "parameters" }, named.map(([name, value]) =>
    [make("dt", {}, `$${name}`), make("dd", {}, make("bdi", {}, exact(value)))]));
}

// Whole numbers beyond 53 bits come as { integer: "..." }: written with all their digits, as `n2gdb cypher` reads them.
function exact(value) {
  if (Array.isArray(value)) return `[${value.map(exact).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value);
    if (names.length === 1 && typeof value.integer === "string") return value.integer;
    return `{${names.map((name) => `${JSON.stringify(name)}:${exact(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
