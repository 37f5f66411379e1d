// Colours of a query, in the box and wherever one is shown. They only look: the server alone knows what a query means.

const PARTS: [string, RegExp][] = [
  ["token", /'(?:[^'\\\n]|\\.)*'?|"(?:[^"\\\n]|\\.)*"?|\/(?:[^/\\\n]|\\.)+\/[a-z]*/],
  ["neuron", /\bL\d+[NF]\d+\b/],
  ["class", /<[a-z]+>|\$\w+/],
  ["keyword", /\b[A-Z]{2,}\b|\b(?:neurons|latents|units|patterns|tokens)\b/],
];
export const KINDS = [...PARTS.map(([kind]) => kind), "wrong"];
export const PATTERN = new RegExp(PARTS.map(([kind, part]) => `(?<${kind}>${part.source})`).join("|"), "gu");

/** Cut a query into [kind, text] parts that together are the text. */
export function coloured(text: string): [string, string][] {
  const cut: [string, string][] = [];
  let at = 0;
  for (const found of text.matchAll(PATTERN)) {
    if (found.index > at) cut.push(["plain", text.slice(at, found.index)]);
    cut.push([kindOf(found), found[0]]);
    at = found.index + found[0].length;
  }
  if (at < text.length) cut.push(["plain", text.slice(at)]);
  return cut;
}

export const kindOf = (found: RegExpMatchArray) => Object.entries(found.groups ?? {}).find(([, part]) => part !== undefined)?.[0] ?? "plain";
