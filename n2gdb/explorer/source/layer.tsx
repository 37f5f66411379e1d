// A layer's page: how good its graphs are, how many neurons live, and what they fire on.

import { useEffect } from "preact/hooks";
import { answerAt, go, layerAt, modelAt, neuronAt, restoreScroll, type Place } from "./address";
import { Columns, Histogram, type Bin, type Column } from "./chart";
import { counted, grouped, score } from "./format";
import { Bar, Chip, FewKey, Figures, isFew, Meter, Refusal, State, useKeys } from "./parts";
import { useAsked } from "./server";
import type { Database } from "./types";
import { words } from "./words";

interface Outstanding { neuron: string; f1: number | null; polysemy: number; n_patterns: number; firings: number }
interface Layer {
  model: string; layer: number; neurons: number; states: Record<string, number>; mean_f1: number | null; mean_precision: number | null; mean_recall: number | null;
  mean_heldout_f1: number | null; judged: number; f1: { from: number; to: number; neurons: number; firm: number }[]; polysemy: { behaviours: number; neurons: number }[];
  tokens: { text: string; shown: string; neurons: number; query: string }[]; best: Outstanding[]; polysemous: Outstanding[]; quality: string; enough: number;
}

export function LayerPage({ place, database, model }: { place: Place; database: Database; model: string | null }) {
  const number = Number(place.names[0]);
  const shown = database.models.find((each) => each.name === model) ?? database.models[0]!;
  const held = shown.layers.includes(number);
  const told = useAsked<Layer>(held ? `/api/layer/${number}` : null, { model });
  const at = shown.layers.indexOf(number);
  const step = (by: number) => { const to = shown.layers[at + by]; if (held && to !== undefined) go(layerAt(to, model)); };
  useKeys({ j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1) });
  useEffect(() => { document.title = `Layer ${number} of ${shown.name} · n2gdb`; }, [number, shown.name]);
  useEffect(() => (told.data ? restoreScroll() : undefined), [told.data?.layer, told.data?.model]);
  const heading = <header class="title"><p class="crumbs faint"><a href={modelAt(model)}>{shown.name}</a></p><h1 tabIndex={-1}>Layer {number}</h1></header>;
  if (!held) {
    return <>{heading}<p class="refusal" role="alert">Layer {number} of {shown.name} is not in this database: it holds {shown.layers.length === 1 ? "layer" : "layers"} {shown.layers.join(", ")}.</p>
      <p>{shown.layers.slice(0, 12).map((each) => <a key={each} class="button" href={layerAt(each, model)}>Layer {each}</a>)}</p></>;
  }
  const data = told.data?.layer === number && told.data.model === shown.name ? told.data : null;
  if (!data) return <div aria-busy={told.busy ? "true" : undefined}>{heading}{told.error ? <Refusal error={told.error} retry={told.retry} /> : null}</div>;
  return <>{heading}
    <Figures of={[{ name: words.many, value: <a href={answerAt(`${words.many} WHERE layer = ${number}`, model)}>{grouped(data.neurons)}</a> },
      ...(data.mean_heldout_f1 === null ? [] : [{ name: "mean held-out F1", value: <Meter value={data.mean_heldout_f1} />, tip: "on ordinary text that nothing was learned from, over those that fire there" }]),
      { name: data.mean_heldout_f1 === null ? "mean F1" : "mean F1 on top examples", value: <Meter value={data.mean_f1} />, tip: "over those whose test examples hold a firing" }, { name: "mean precision", value: <Meter value={data.mean_precision} /> },
      { name: "mean recall", value: <Meter value={data.mean_recall} /> }]} />
    <p class="states">{Object.entries(data.states).map(([state, count]) => <a key={state} class="state-link" href={answerAt(`${words.many} WHERE layer = ${number} AND state = '${state}'`, model)}><State of={state} /> {grouped(count)}</a>)}</p>
    <p class="measured">Means are over the {words.many} whose test examples hold a firing; a graph that predicts none counts as 0, those that are dead are counted apart.</p>
    <div class="columns"><section><h2>How faithful the graphs are</h2><Histogram of={quality(data, model)} title={data.quality === "heldout_f1" ? "F1 on held-out text" : "F1 on test examples"} counted={words.many} />
        <p class="measured">{grouped(data.judged)} of {counted(data.neurons, words.one)} fire on that text; pale: those with fewer than {data.enough} firings, of which it says little.</p></section>
      {data.polysemy.length ? <section><h2>How many things they do</h2><Columns of={behaviours(data, model)} title="behaviours: parts of a graph that share no token" counted={words.many} /></section> : null}</div>
    <div class="columns three"><Tokens data={data} model={model} /><Best title="Most faithful" of={data.best} data={data} model={model} /><Best title="Most polysemous" of={data.polysemous} data={data} model={model} many /></div>
  </>;
}

function quality(data: Layer, model: string | null): Bin[] {
  return data.f1.map(({ from, to, neurons, firm }, at) => {
    const query = `${words.many} WHERE layer = ${data.layer} AND ${data.quality} >= ${from}${at < data.f1.length - 1 ? ` AND ${data.quality} < ${to}` : ""}`;
    return { from, to, count: neurons, firm, said: `F1 ${score(from)} to ${score(to)}: ${counted(neurons, words.one)}, ${grouped(firm)} of them with ${data.enough} firings or more`, href: answerAt(query, model) };
  });
}

const SHOWN = 12;

function behaviours(data: Layer, model: string | null): Column[] {
  const most = Math.max(...data.polysemy.map((group) => group.behaviours));
  return Array.from({ length: Math.min(most, SHOWN) + 1 }, (_, number) => {
    const last = number === SHOWN && most > SHOWN;
    const count = data.polysemy.filter((group) => (last ? group.behaviours >= number : group.behaviours === number)).reduce((sum, group) => sum + group.neurons, 0);
    return { label: last ? `${number}+` : String(number), count, said: `${last ? `${number} behaviours or more` : counted(number, "behaviour")}: ${counted(count, words.one)}`,
      href: answerAt(`${words.many} WHERE layer = ${data.layer} AND polysemy ${last ? ">=" : "="} ${number}`, model) };
  });
}

function Tokens({ data, model }: { data: Layer; model: string | null }) {
  const most = Math.max(1, ...data.tokens.map((each) => each.neurons));
  return <section><h2>Most common activating tokens</h2><table class="counts"><thead><tr><th scope="col">token</th><th scope="col" class="number">{words.many}</th><th scope="col"><span class="unseen">bar</span></th></tr></thead>
    <tbody>{data.tokens.map((each) => <tr key={each.text}><th scope="row"><Chip shown={each.shown} kind="fires" tip={each.query} href={answerAt(each.query, model)} /></th>
      <td class="number">{grouped(each.neurons)}</td><td class="wide"><Bar share={each.neurons / most} /></td></tr>)}</tbody></table></section>;
}

function Best({ title, of, data, model, many = false }: { title: string; of: Outstanding[]; data: Layer; model: string | null; many?: boolean }) {
  if (!of.length) return null;
  const heldout = data.quality === "heldout_f1";
  const query = many ? `${words.many} WHERE layer = ${data.layer} ORDER BY polysemy DESC` : `${words.many} WHERE layer = ${data.layer} AND ${heldout ? "heldout_firings" : "true_firings"} >= ${data.enough} ORDER BY ${data.quality} DESC`;
  return <section><h2>{title}</h2><table class="rows"><thead><tr><th scope="col">{words.one}</th><th scope="col" class="number">{heldout ? "held-out F1" : "F1"}</th><th scope="col" class="number">{many ? "behaviours" : "firings"}</th></tr></thead>
    <tbody>{of.map((row) => <tr key={row.neuron}><td><a class="neuron" href={neuronAt(row.neuron, model)}>{row.neuron}</a></td><td class="number"><Meter value={row.f1} firings={row.firings} /></td>
      <td class="number">{grouped(many ? row.polysemy : row.firings)}</td></tr>)}</tbody></table>
    <FewKey shown={of.some((row) => row.f1 !== null && isFew(row.firings))} />
    <p><a href={answerAt(query, model)}>all of them</a></p></section>;
}

