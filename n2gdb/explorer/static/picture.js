// A picture that the server drew, put into the page so that its titles show; its style stays within it.

import { fetchText } from "/static/api.js";
import { fill, make } from "/static/dom.js";

/** Return a place for a picture, and load it; `label` is what the picture shows, in words. */
export function picture(url, label, signal) {
  const place = make("div", { class: "picture", role: "img", "aria-label": label, "aria-busy": "true", tabindex: 0 });
  load(place, url, signal);
  return place;
}

async function load(place, url, signal) {
  try {
    show(place, await fetchText(url, signal));
  } catch (error) {
    if (!signal.aborted) fill(place, make("p", { class: "refusal" }, error.message));
  }
  place.removeAttribute("aria-busy");
}

// Read as XML of its own: nothing in it runs, and what is not a picture is refused.
function parsed(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (svg.localName !== "svg" || svg.querySelector("script, foreignObject")) {
    throw new Error("the server sent no picture");
  }
  return svg;
}

const STYLE = /<style[^>]*>(?:<!\[CDATA\[)?([\s\S]*?)(?:\]\]>)?<\/style>/g;

// Style sheets are adopted, not written into the page: the content security policy allows no inline style.
// They are cut out before the rest is read; the server escapes every text, so none of it can look like one.
function show(place, text) {
  const sheets = [...text.matchAll(STYLE)].map(([, rules]) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    return sheet;
  });
  const root = place.shadowRoot ?? place.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = sheets;
  root.replaceChildren(document.importNode(parsed(text.replaceAll(STYLE, "")), true));
}
