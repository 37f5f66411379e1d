// A text token by token, as running text: colour for activation, and below it the prediction where both are known.

import { useRef } from "preact/hooks";
import { score } from "./format";
import { Marked } from "./parts";
import type { Token } from "./types";

interface Options {
  tokens: Token[];
  both: boolean;
  pivot?: number | null;
  lines?: boolean;
  lit?: readonly number[];
  model: string | null;
  label: string;
}

/** Show a text; tokens that fire, or that a pattern matches, say so when pointed at, and the arrows go from one to the next. */
export function Reading({ tokens, both, pivot = null, lines = true, lit = [], label }: Options) {
  const root = useRef<HTMLParagraphElement>(null);
  const worth = (token: Token) => token.pattern !== null || token.against.length > 0 || (both && (token.true ?? 0) >= 0.05);
  const first = tokens.findIndex(worth);
  const look = (place: number | null) => {
    for (const each of root.current?.querySelectorAll(".tok") ?? []) each.classList.remove("context-lit", "against-lit");
    if (place === null) return;
    const light = (places: number[], name: string) => { for (const at of places) if (at !== place) root.current?.querySelector(`[data-at="${at}"]`)?.classList.add(name); };
    light(tokens[place]?.at ?? [], "context-lit");
    light(tokens[place]?.against ?? [], "against-lit");
  };
  const placeOf = (event: Event) => {
    const found = (event.target as Element).closest?.(".tok");
    return found ? Number((found as HTMLElement).dataset.at) : null;
  };
  const moved = (event: KeyboardEvent) => {
    if (!event.key.startsWith("Arrow")) return;
    const stops = [...(root.current?.querySelectorAll<HTMLElement>(".tok[tabindex]") ?? [])];
    const at = stops.indexOf(event.target as HTMLElement);
    const next = stops[at + (event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1)];
    if (at < 0 || !next) return;
    event.preventDefault();
    stops[at]!.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };
  return <p class={`reading${both ? " both" : ""}`} ref={root} dir="ltr" role="group" aria-label={label} onPointerOver={(event) => look(placeOf(event))} onPointerLeave={() => look(null)}
    onFocusIn={(event) => look(placeOf(event))} onFocusOut={() => look(null)} onKeyDown={moved}>
    {tokens.map((token, place) => {
      const above = both ? (token.true ?? 0) : token.predicted;
      const fires = both ? token.fires.true : token.fires.predicted;
      const names = ["tok", place === pivot ? "pivot" : "", fires ? "fires" : "", token.fires.predicted ? "fires-predicted" : "", token.fires.true ? "fires-true" : "",
        lit.includes(place) ? "pattern-lit" : "", both && token.true === null ? "unknown" : ""];
      const shown = lines ? token.text : token.text.replace(/\n/g, "⏎");
      return <span key={place} class={names.filter(Boolean).join(" ")} data-at={place} data-tip={worth(token) ? saying(token, both) : undefined}
        tabIndex={worth(token) ? (place === first ? 0 : -1) : undefined}
        style={{ "--v": shade(above), "--g": shade(token.predicted) }}>{lines ? <Lines text={shown} /> : <Marked text={shown} />}</span>;
    })}
  </p>;
}

// A line of the text is a line of the page; its break is marked where a token fires on it.
function Lines({ text }: { text: string }) {
  if (!/[\n\t\r]/.test(text)) return <>{text}</>;
  return <>{text.split(/(\n)/).map((part, at) => (part === "\n" ? <span key={at} class="newline"><i class="mark-sign">⏎</i>{"\n"}</span> : <Marked key={at} text={part} />))}</>;
}

const shade = (value: number | null) => (value === null || value < 0.02 ? 0 : Math.min(1, value)).toFixed(2);

function saying(token: Token, both: boolean): string {
  const said = both && token.true !== null ? [`truly ${score(token.true)}`] : [];
  said.push(`predicted ${score(token.predicted)}`);
  if (token.pattern) said.push(`by ${token.pattern}`);
  else said.push("no pattern matches");
  if (token.against.length) said.push(`${token.against.length === 1 ? "a token" : `${token.against.length} tokens`} before speaks against it`);
  return said.join(", ");
}

/** Say what the colours are: the same in the explorer, in pages of their own and on a terminal. */
export function ReadingKey({ both, threshold = 0.5 }: { both: boolean; threshold?: number }) {
  return <p class="reading-key faint">
    <span>{both ? "on the text: the true activation" : "on the text: what is predicted"}</span>
    {both ? <span>in the row below: what is predicted</span> : null}
    <span>0 <span class="scale" aria-hidden="true" /> 1</span><span><b class="tok fires" style={{ "--v": "0.7" }}>fires</b> from {threshold} on</span></p>;
}

