// A neuron's examples: what it does on the text, and below it what is predicted.

import { note, type Place } from "./address";
import { figure, grouped } from "./format";
import { Loaded } from "./parts";
import type { Lit } from "./picture";
import { Reading, ReadingKey } from "./reading";
import { useAsked } from "./server";
import type { Example, Token } from "./types";

const FIRST = 6;
const MORE = 40;
const AROUND = 40; // tokens before the pivot that a snippet shows
const AFTER = 12;

export function Examples({ api, model, place, lit, neuron }: { api: string; model: string | null; place: Place; lit: Lit | null; neuron: string }) {
  const every = place.get("examples") === "all";
  const whole = place.get("whole") === "yes";
  const lines = place.get("lines") !== "no";
  const once = place.get("once") === "yes";
  const part = place.get("part");
  const told = useAsked<{ total: number; examples: Example[]; bands?: string[] }>(`${api}/examples`, { model, limit: every || part ? MORE : FIRST, band: part });
  // Where a record of the corpus was kept: examples of every strength beside the top ones, and near misses.
  const parts = told.data?.bands ?? [];
  const toggle = (title: string, pressed: boolean, parameters: Record<string, string | boolean | null>, tip: string) =>
    <button type="button" aria-pressed={pressed} data-tip={tip} onClick={() => note(parameters)}>{title}</button>;
  return <section aria-labelledby="examples"><h2 id="examples">Examples</h2>
    <div class="tabs" role="group" aria-label="How examples are shown">
      {toggle("Whole window", whole, { whole: !whole }, "each example from its first to its last token, not only around its largest activation")}
      {toggle("Line breaks", lines, { lines: lines ? "no" : null }, "break lines where the text does")}
      {toggle("No duplicates", once, { once: !once }, "leave out examples whose last tokens up to the pivot are those of one before")}
    </div>
    {parts.length > 1 ? <div class="tabs" role="group" aria-label="Of which strength">{parts.map((each) => toggle(bandOf(each), (part ?? "top") === each, { part: each === "top" ? null : each }, BANDS[each] ?? `drawn at random where it reaches ${bandOf(each)} of its largest activation`))}</div> : null}
    <ReadingKey both />
    <Loaded of={told} what="Fetching examples">{({ total, examples }) => {
      const shown = once ? distinct(examples) : examples;
      return <div class="examples">{shown.length ? shown.map((example) => <One key={`${example.band} ${example.rank}`} example={example} whole={whole} lines={lines} lit={lit} model={model} neuron={neuron} />)
        : <p class="nothing">No examples: it never fired on the corpus.</p>}
      {once && shown.length < examples.length ? <p class="faint">{grouped(examples.length - shown.length)} more of the same left out.</p> : null}
      {total > examples.length ? <button class="more" type="button" onClick={() => note({ examples: "all" })}>Show all {grouped(total)}</button> : null}</div>;
    }}</Loaded></section>;
}

const BANDS: Record<string, string> = { top: "its largest activations", near: "drawn at random just below where it fires" };

const bandOf = (band: string) => ({ top: "Top", near: "Near misses" })[band] ?? `about ${band}`;

function distinct(examples: Example[]): Example[] {
  const seen = new Set<string>();
  return examples.filter((example) => {
    const last = example.tokens.slice(Math.max(0, example.pivot - 7), example.pivot + 1).map((token) => token.token).join(" ");
    return seen.has(last) ? false : seen.add(last);
  });
}

/** The places of the tokens that a pattern names, wherever all of it stands in a text. */
function matchedBy(tokens: Token[], pattern: Lit): number[] {
  const steps = [...pattern];
  return tokens.flatMap((_, at) => (steps.every(([depth, text]) => tokens[at - depth]?.text === text) ? steps.map(([depth]) => at - depth) : []));
}

function One({ example, whole, lines, lit, model, neuron }: { example: Example; whole: boolean; lines: boolean; lit: Lit | null; model: string | null; neuron: string }) {
  const [start, stop] = whole ? [0, example.tokens.length] : [Math.max(0, example.pivot - AROUND), Math.min(example.tokens.length, example.pivot + AFTER)];
  const tokens = example.tokens.slice(start, stop).map((token) => ({ ...token, at: token.at.map((at) => at - start), against: token.against.map((at) => at - start) }));
  const matching = lit === null ? [] : matchedBy(example.tokens, lit).map((at) => at - start);
  const matched = matching.length > 0;
  return <article class={`example${matched ? " matched-by" : ""}${start > 0 ? " starts-inside" : ""}${stop < example.tokens.length ? " ends-inside" : ""}`}>
    <p class="about faint"><span class="rank">{example.rank + 1}</span>activation {figure(example.activation)}
      <span class="split" tabIndex={0} data-tip={example.split === "test" ? "kept apart to judge the graph" : "the graph was built from it"}>{example.split}</span>
      {example.band && example.band !== "top" ? <span>{bandOf(example.band)}</span> : null}{matched ? <span class="match-said">matched by the pattern on show</span> : null}</p>
    <Reading tokens={tokens} both pivot={example.pivot - start} lines={lines} lit={matching} model={model} label={`Example ${example.rank + 1} of ${neuron}`} />
  </article>;
}
