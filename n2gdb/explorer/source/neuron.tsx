// A neuron's page: its graph, how good that is, what it fires on and what it writes.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { address, answerAt, go, layerAt, modelAt, neuronAt, note, restoreScroll, type Place } from "./address";
import { Histogram, type Bin } from "./chart";
import { Examples } from "./examples";
import { counted, figure, grouped, literal, score } from "./format";
import { NoteBox } from "./noted";
import { Chip, Copy, Figures, Meter, PathLine, patternQuery, Refusal, State, useKeys, type Figure } from "./parts";
import { Graph, type Lit } from "./picture";
import { ask, fetchText, modelAtHand, Refused, useAsked } from "./server";
import { Similar } from "./similar";
import { TryText } from "./tried";
import type { Database, Meaning, Neuron, Pattern, Weighed, Written } from "./types";
import { unitOf, words } from "./words";

const DRAWN = 40;
const DRAWN_MORE = 200;
const TOGETHER = 100;

export function NeuronPage({ place, database, model }: { place: Place; database: Database; model: string | null }) {
  const name = place.names[0]!;
  // Of several models that the address does not choose from, the first that has the neuron is meant.
  const open = database.models.length > 1 && place.get("model") === null;
  const meant = useAsked<{ meanings: Meaning[] }>(open ? "/api/understand" : null, { text: name });
  const owner = meant.data?.meanings.find((each) => each.neuron)?.model ?? null;
  useEffect(() => { if (open && owner) note({ model: owner }); }, [open, owner]);
  const ready = !open || (meant.data !== null && owner === null) || meant.error !== null;
  const told = useAsked<Neuron>(ready ? `/api/neuron/${encodeURIComponent(name)}` : null, { model });
  const neuron = told.data;
  const [lit, setLit] = useState<Lit | null>(null);
  const step = useStepping(name, model, place);
  useKeys({ j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1) });
  useEffect(() => { document.title = `${neuron?.neuron ?? name} · n2gdb`; }, [neuron?.neuron, name]);
  useEffect(() => (neuron ? restoreScroll() : undefined), [neuron?.neuron]);
  if (neuron === null) {
    return told.error ? <Missing error={told.error} name={name} database={database} model={model} retry={told.retry} /> : <div aria-busy="true"><h1>{name}</h1></div>;
  }
  const api = `/api/neuron/${encodeURIComponent(neuron.neuron)}`;
  const info = database.models.find((each) => each.name === neuron.model);
  return <div aria-busy={told.busy ? "true" : undefined}>
    {told.error ? <Refusal error={told.error} retry={told.retry} /> : null}
    <Heading neuron={neuron} api={api} model={model} place={place} step={step} />
    <Figures of={figuresOf(neuron)} />
    <p class="measured">{neuron.measured}</p>
    <GraphBox neuron={neuron} api={api} model={model} place={place} onlit={setLit} />
    <Effects neuron={neuron} model={model} place={place} />
    <Evidence neuron={neuron} model={model} />
    <Spread neuron={neuron} />
    <TryText neuron={neuron} api={api} model={model} place={place} />
    <div class="columns wide-left">
      <div><Examples api={api} model={model} place={place} lit={lit} neuron={neuron.neuron} /></div>
      <div>
        <NoteBox neuron={neuron.neuron} model={neuron.model} />
        <Patterns key={neuron.neuron} neuron={neuron} api={api} model={model} place={place} />
        <Similar neuron={neuron} api={api} model={model} place={place} many={database.models.length > 1} info={info} />
      </div>
    </div>
  </div>;
}

// A key that is pressed is a step that is made: they add up while the server is asked, and none is dropped.
function useStepping(name: string, model: string | null, place: Place): (by: number) => void {
  const state = useRef({ name, model, pending: 0, busy: false });
  if (!state.current.busy) Object.assign(state.current, { name, model });
  return useCallback((by: number) => {
    const now = state.current;
    now.pending += by;
    if (now.busy) return;
    now.busy = true;
    void (async () => {
      try {
        while (now.pending) {
          const asked = now.pending;
          const told = await ask<{ neuron: string }>(`/api/neuron/${encodeURIComponent(now.name)}/step`, { model: now.model, by: Math.abs(asked), which: asked < 0 ? "before" : "after" });
          now.pending -= asked;
          if (told.neuron === now.name) { now.pending = 0; break; }
          now.name = told.neuron;
          const url = new URL(location.href);
          go(address(`/neuron/${encodeURIComponent(told.neuron)}`, { ...Object.fromEntries(url.searchParams), y: url.searchParams.get("y") }));
        }
      } catch (error) {
        now.pending = 0;
        if (!(error instanceof Refused)) throw error;
      } finally {
        now.busy = false;
      }
    })();
  }, [place.page]);
}

// What is not held is said, with links to what is: the same name in other models, and the layer's units.
function Missing({ error, name, database, model, retry }: { error: Refused; name: string; database: Database; model: string | null; retry: () => void }) {
  const meant = useAsked<{ meanings: Meaning[] }>(database.models.length > 1 ? "/api/understand" : null, { text: name });
  const owners = (meant.data?.meanings ?? []).filter((each) => each.neuron !== null);
  const layer = Number(/^L(\d+)/i.exec(name)?.[1] ?? -1);
  const held = database.models.find((each) => each.name === model) ?? database.models[0]!;
  return <section class="refusal-page"><h1>Not shown: {name}</h1><Refusal error={error} retry={error.status === 404 ? undefined : retry} />
    {owners.map((each) => <p key={each.model}><a class="button" href={neuronAt(each.neuron!, each.model)}>{each.neuron} of {each.model}</a></p>)}
    {held.layers.includes(layer) ? <p><a href={answerAt(`${words.many} WHERE layer = ${layer}`, model)}>The {words.many} of layer {layer}</a></p> : null}
    <p><a href={answerAt(null, model)}>Ask a question instead</a></p></section>;
}

function Heading({ neuron, api, model, place, step }: { neuron: Neuron; api: string; model: string | null; place: Place; step: (by: number) => void }) {
  const stepLink = (sign: string, title: string, to: string | null, by: number) => (to
    ? <a class="step-link" href={address(`/neuron/${encodeURIComponent(to)}`, { model, text: place.get("text") })} rel={by < 0 ? "prev" : "next"} aria-label={`${title}: ${to}`} data-tip={`${title}: ${to} (${by < 0 ? "k" : "j"})`}
      onClick={(event) => { event.preventDefault(); step(by); }}>{sign}</a>
    : <span class="step-link none" aria-hidden="true">{sign}</span>);
  const most = place.get("all") === "yes" ? DRAWN_MORE : DRAWN;
  return <header class="title">
    <p class="crumbs faint"><a href={modelAt(model)}>{neuron.model}</a> / <a href={layerAt(neuron.layer, model)}>layer {neuron.layer}</a></p>
    <div class="line"><h1 tabIndex={-1}>{neuron.neuron}</h1><State of={neuron.state} /><span class="gap" />
      <span class="buttons">
        <Copy text={() => neuron.python}>Copy Python</Copy>
        <Copy text={() => `n2gdb show ${neuron.neuron}${model ? ` --model '${model}'` : ""}`}>Copy command</Copy>
        <Copy text={() => fetchText(address(`${api}/graph.json`, { model }))}>Copy JSON</Copy>
        <Copy text={() => fetchText(address(`${api}/graph.svg`, { model, most }))}>Copy SVG</Copy>
        <a class="button" href={address(`${api}/graph.svg`, { model, most })} download={`${neuron.neuron}.svg`}>Save SVG</a>
      </span>
      {modelAtHand && neuron.n_patterns ? <a class="button" href={address(`/trajectories/${encodeURIComponent(neuron.neuron)}`, { model })}>Trajectories</a> : null}
      <nav class="steps" aria-label="Neighbours">{stepLink("←", `Previous ${unitOf(neuron.kind)}`, neuron.previous, -1)}{stepLink("→", `Next ${unitOf(neuron.kind)}`, neuron.next, 1)}</nav>
    </div></header>;
}

function figuresOf(neuron: Neuron): Figure[] {
  const field = (name: string) => neuron[name] as number | null | undefined;
  const heldout = field("heldout_f1") !== undefined && field("heldout_f1") !== null;
  return [
    ...(heldout ? [{ name: "held-out F1", tip: "how well it is predicted on ordinary text that nothing was learned from", value: <Meter value={field("heldout_f1")} firings={field("heldout_firings")} /> }] : []),
    { name: heldout ? "F1 on top examples" : "F1", tip: "2 P R / (P + R), on the half of the top examples that the graph was not built from", value: <Meter value={neuron.f1} firings={neuron.true_firings} /> },
    { name: "precision", tip: "of the tokens that the graph fires on, the share that it fires on", value: <Meter value={neuron.precision} /> },
    { name: "recall", tip: "of the tokens that the neuron fires on, the share that the graph fires on", value: <Meter value={neuron.recall} /> },
    { name: "true firings", tip: "tokens of the test examples on which it fires", value: grouped(neuron.true_firings) },
    { name: "predicted", tip: "tokens of the test examples on which the graph fires", value: grouped(neuron.predicted_firings) },
    { name: "patterns", tip: "paths of the graph that end", value: grouped(neuron.n_patterns) },
    { name: "nodes", tip: "of the trie that the patterns make", value: grouped(neuron.n_nodes) },
    { name: "tokens", tip: "activating tokens + context tokens", value: `${grouped(neuron.n_activating)} + ${grouped(neuron.n_context)}` },
    { name: "behaviours", tip: "parts of the graph that share no token", value: grouped(neuron.polysemy) },
    { name: "max activation", tip: "the largest activation on the corpus, to which all others are relative", value: figure(neuron.max_activation) },
    ...(neuron.density === null || neuron.density === undefined ? [] : [{ name: "density", tip: "share of the corpus's tokens that it fires on", value: figure(neuron.density) }]),
  ];
}

const NO_GRAPH: Partial<Record<string, string>> = {
  dead: "It never fires on the corpus, and has no graph.",
  dense: "It fires on so large a share of tokens that no graph was learned; what makes it fire sooner, and its examples, are below.",
};

function GraphBox({ neuron, api, model, place, onlit }: { neuron: Neuron; api: string; model: string | null; place: Place; onlit: (lit: Lit | null) => void }) {
  if (!neuron.n_patterns) {
    return <figure class="graph"><p class="nothing">{NO_GRAPH[neuron.state] ?? "It has no patterns: its graph predicts nothing."}</p></figure>;
  }
  const all = place.get("all") === "yes";
  const label = `Graph of ${neuron.neuron}: ${neuron.n_patterns} patterns, F1 ${score(neuron.f1)}; the same patterns are listed below`;
  return <figure class="graph">
    <Graph url={address(`${api}/graph.svg`, { most: all ? DRAWN_MORE : DRAWN, model })} label={label} model={model} onlit={onlit} tall={place.get("tall") === "yes"} />
    <figcaption><span class="key fires">fires on, deeper with activation</span><span class="key context">needs before it, deeper with importance</span>
      {neuron.promotes.length ? <span class="key writes">promotes; dashed: suppresses</span> : null}{neuron.inhibited_by?.length ? <span class="key inhibits">keeps it silent where it stands before</span> : null}
      <span>text order, left to right; tokens in one box are alternatives; a bold rim is where a pattern may begin; a dashed rim says that it is seldom right; a dotted line runs over as many tokens as its number says, whatever they are</span>
      {neuron.n_patterns > DRAWN ? <button class="quiet" type="button" onClick={() => note({ all: !all })}>{all ? `Draw the strongest ${DRAWN}`
        : `Draw ${neuron.n_patterns > DRAWN_MORE ? `the strongest ${DRAWN_MORE}` : `all ${neuron.n_patterns}`} patterns`}</button> : null}</figcaption>
  </figure>;
}

const WRITTEN = 8;

function Effects({ neuron, model, place }: { neuron: Neuron; model: string | null; place: Place }) {
  if (!neuron.promotes.length && !neuron.suppresses.length) return null;
  const all = place.get("writes") === "all";
  const side = (title: string, verb: string, of: Written[]) => {
    const most = Math.max(...of.map((each) => Math.abs(each.logit)), 1e-9);
    return of.length ? <section><h3>{title}</h3><ul class="effects">{of.slice(0, all ? of.length : WRITTEN).map((each) => <li key={each.token}>
      <Chip shown={each.shown} kind={each.logit < 0 ? "suppresses" : "writes"} tip={`logit ${figure(each.logit)} at its largest activation; opens the ${words.many} that do the same`} href={answerAt(`${words.many} ${verb} ${literal(each.text)}`, model)} />
      <span class="share" style={{ "--share": Math.abs(each.logit) / most }} aria-hidden="true" /><span class="number faint">{figure(each.logit)}</span></li>)}</ul></section> : null;
  };
  const more = Math.max(neuron.promotes.length, neuron.suppresses.length) > WRITTEN;
  return <section class="writes" aria-labelledby="writes"><h2 id="writes">What it writes {more ? <button type="button" class="quiet" aria-expanded={all} onClick={() => note({ writes: all ? null : "all" })}>{all ? "fewer" : "all"}</button> : null}</h2><div class="columns">
    {side("promotes: raises their logits", "PROMOTING", neuron.promotes)}{side("suppresses: lowers their logits", "SUPPRESSING", neuron.suppresses)}</div></section>;
}

const BINS = 28;
const FIRES = 0.5; // of its largest activation: from there on it counts as firing

function Spread({ neuron }: { neuron: Neuron }) {
  const spread = neuron.histogram;
  if (!spread?.counts.length || !spread.maximum) return null;
  // Quarter octaves, the weakest left out: what is far below the largest activation is everywhere.
  const first = Math.max(0, spread.counts.length - BINS);
  const bins: Bin[] = spread.counts.slice(first).map((count, at) => {
    const [from, to] = [spread.edges[first + at]! / spread.maximum, (spread.edges[first + at + 1] ?? spread.maximum) / spread.maximum];
    return { from, to, count, said: `activation ${figure(Number(from.toPrecision(2)))} to ${figure(Number(Math.min(1, to).toPrecision(2)))} of its largest: ${counted(count, "token")} of ${grouped(spread.positions)}` };
  });
  return <section aria-labelledby="spread"><h2 id="spread">How often, and how strongly</h2>
    <Histogram of={bins} title="activation, 1 being its largest on the corpus" counted="tokens of the corpus" log mark={{ at: FIRES, said: "fires" }} />
    <p class="measured">Active at all on {grouped(spread.active)} of {grouped(spread.positions)} tokens ({figure((100 * spread.active) / Math.max(1, spread.positions))} %).</p></section>;
}

const WEIGHED = 10;

function Evidence({ neuron, model }: { neuron: Neuron; model: string | null }) {
  const [excites, inhibits] = [neuron.excited_by ?? [], neuron.inhibited_by ?? []];
  if (!excites.length && !inhibits.length) return null;
  const side = (title: string, verb: string, of: Weighed[]) => (of.length ? <section><h3>{title}</h3><ul class="effects weighed">{of.slice(0, WEIGHED).map((each, at) => <li key={at}>
    <Chip shown={each.shown} kind={each.weight > 0 ? "context" : "inhibits"} tip={`${each.place.toLowerCase().replace("at", "tokens before:")}; adds ${figure(each.weight)} to the log odds of firing`}
      href={answerAt(`${words.many} ${verb} ${each.is_class ? each.shown : literal(each.text)} ${each.place}`, model)} /><span class="faint">{each.place}</span><span class="number faint">{each.weight > 0 ? "+" : ""}{figure(each.weight)}</span></li>)}</ul></section> : null);
  return <section class="writes" aria-labelledby="evidence"><h2 id="evidence">What makes it likelier to fire, and what keeps it silent</h2><div class="columns">
    {side("likelier after", "EXCITED BY", excites)}{side("keeps it silent", "INHIBITED BY", inhibits)}</div></section>;
}

function Patterns({ neuron, api, model, place }: { neuron: Neuron; api: string; model: string | null; place: Place }) {
  const first = neuron.first_patterns;
  const wanted = Math.max(first.length, Number(place.get("patterns") ?? 0) || 0);
  const rest = useAsked<{ total: number; patterns: Pattern[] }>(wanted > first.length ? `${api}/patterns` : null, { model, limit: wanted });
  const shown = rest.data?.patterns ?? first;
  const left = neuron.n_patterns - shown.length;
  return <section aria-labelledby="patterns"><h2 id="patterns">Patterns</h2>
    {rest.error ? <Refusal error={rest.error} retry={rest.retry} /> : null}
    <ol class="patterns" aria-busy={rest.busy ? "true" : undefined}>{shown.map((pattern, at) => <li key={at}><Meter value={pattern.activation} /><span><PathLine path={pattern.path} model={model} />
      {pattern.support === null || pattern.support === undefined ? null : <span class="faint support" data-tip={`the pattern occurs ${grouped(pattern.support)} times in the corpus${pattern.support ? `; it fires on ${score(pattern.confidence)} of these` : ""}`}> {grouped(pattern.support)} ×{pattern.support ? `, ${Math.round(100 * (pattern.confidence ?? 0))} % right` : ""}</span>}</span>
    <a class="ask-pattern" href={answerAt(patternQuery(pattern.path.steps), model)} aria-label={`Find ${pattern.path.text}`} data-tip={`${words.many} with this pattern`}>→</a></li>)}</ol>
    {neuron.n_patterns ? null : <p class="nothing">No patterns.</p>}
    {left > 0 ? <button class="more" type="button" onClick={() => note({ patterns: Math.min(200, shown.length + TOGETHER) })}>{left <= TOGETHER ? `Show ${grouped(left)} more` : `Show ${TOGETHER} more of ${grouped(left)}`}</button> : null}
  </section>;
}

