// Elements, made from parts. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element; functions become listeners, null and false leave an attribute out. */
export function make(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

/** Make an SVG element. */
export function drawn(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

/** Put new children in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...parts(children));
  return element;
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") dress(element, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...parts(children));
  return element;
}

// Through the object model: a style attribute would need a looser content security policy.
function dress(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, String(value));
}

function parts(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Say something to those who listen to the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
