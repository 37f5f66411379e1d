// Colours for a query as it is typed. Only looks: the server alone knows what a query means.

const PARTS = new RegExp([
  /(?<token>'(?:[^'\\\n]|\\.)*'?|"(?:[^"\\\n]|\\.)*"?|\/(?:[^/\\\n]|\\.)+\/[a-z]*)/,
  /(?<neuron>\bL\d+N\d+\b)/,
  /(?<class><(?:[a-z]+|\s*start\s+of\s+text\s*)>|\$\w+)/,
  /(?<number>\b\d+(?:\.\d+)?\b)/,
  /(?<keyword>\b[A-Z]{2,}\b|\b(?:neurons|patterns|tokens)\b)/,
].map((part) => part.source).join("|"), "gu");

/** Cut a text into [kind, text] parts that together are the text. */
export function coloured(text) {
  const cut = [];
  let at = 0;
  for (const found of text.matchAll(PARTS)) {
    if (found.index > at) cut.push(["plain", text.slice(at, found.index)]);
    const [kind] = Object.entries(found.groups).find(([, part]) => part !== undefined);
    cut.push([kind, found[0]]);
    at = found.index + found[0].length;
  }
  if (at < text.length) cut.push(["plain", text.slice(at)]);
  return cut;
}
