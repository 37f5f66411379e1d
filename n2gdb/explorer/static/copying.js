// Buttons that put something on the clipboard, and say that they did.

import { address, fetchText, isGivenUp } from "/static/api.js";
import { announce, fill, make } from "/static/dom.js";

/** Return the buttons of a neuron: its Python line, its graph as JSON, its picture as SVG. */
export function copyButtons(neuron, at) {
  const json = address(`${at.api}/graph.json`, { model: at.model });
  const svg = address(`${at.api}/graph.svg`, { model: at.model, most: 40 });
  return [
    copyButton("Copy Python", async () => neuron.python),
    copyButton("Copy JSON", () => fetchText(json, at.signal)),
    copyButton("Copy SVG", () => fetchText(svg, at.signal)),
    make("a", { class: "button", href: svg, download: `${neuron.neuron}.svg` }, "Save SVG"),
  ];
}

/** Return a button that copies what `text()` promises. */
export function copyButton(title, text) {
  const button = make("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(await text());
      said(button, "Copied ✓", title);
    } catch (error) {
      if (!isGivenUp(error)) said(button, "Not copied", title, error.message);
    }
  } }, title);
  return button;
}

function said(button, word, title, why = word) {
  fill(button, word);
  announce(why);
  button.title = why === word ? "" : why;
  setTimeout(() => fill(button, title), 1600);
}
