// The report of a model: the paper's table, and the same as figures by layer.

import { useEffect } from "preact/hooks";
import { layerAt, restoreScroll } from "./address";
import { Lines, type Series } from "./chart";
import { grouped } from "./format";
import { Figures, Loaded } from "./parts";
import { useAsked } from "./server";
import type { Model } from "./types";
import { words } from "./words";

interface Scored { layer: number | null; predictor: string; text: string; neurons: number; precision: number | null; recall: number | null; f1: number | null; nodes: number | null }
interface Report extends Model { configuration: Record<string, unknown>; table: Scored[]; rule: string }

const PREDICTORS: Record<string, string> = { n2g: "graph", evidence: "evidence", plain: "graph before refinement", lookup: "token look-up", ngram: "5-gram look-up" };
const MEASURES = [["f1", "F1"], ["precision", "Precision"], ["recall", "Recall"]] as const;
const TEXTS: Record<string, string> = { test: "on top examples that the graphs were not built from", heldout: "on held-out ordinary text", active: "on top examples, where any activation above zero is a firing" };

export function ModelPage({ model }: { model: string | null }) {
  const told = useAsked<Report>("/api/model", { model });
  useEffect(() => { document.title = `${told.data?.name ?? "Report"} · n2gdb`; }, [told.data?.name]);
  useEffect(() => (told.data ? restoreScroll() : undefined), [told.data?.name]);
  return <Loaded of={told} what="Fetching the report">{(report) => {
    const texts = [...new Set(report.table.map((row) => row.text))].sort((first, second) => (first === "heldout" ? -1 : second === "heldout" ? 1 : 0));
    const href = (layer: number) => (report.layers.length <= 12 && report.layers.includes(layer) ? layerAt(layer, model) : null);
    return <><header class="title"><h1 tabIndex={-1}>{report.name}</h1></header>
      <Figures of={[{ name: "layers", value: report.layers.length === report.n_layers ? grouped(report.n_layers) : `${grouped(report.layers.length)} of ${grouped(report.n_layers)}`, tip: "in this database" }, { name: "MLP width", value: grouped(report.d_mlp) },
        { name: words.many, value: grouped(report.neurons) }, { name: "dead", value: grouped(report.dead), tip: "never fire on the corpus" }, { name: "unpredicted", value: grouped(report.unpredicted), tip: "their graphs fire on no test example" },
        { name: "patterns", value: grouped(report.patterns) }, { name: "vocabulary", value: grouped(report.d_vocab) }, { name: "corpus tokens", value: grouped(report.corpus_tokens), tip: report.corpus }]} />
      {texts.map((text) => {
        const rows = report.table.filter((row) => row.text === text);
        const predictors = Object.keys(PREDICTORS).filter((name) => rows.some((row) => row.predictor === name));
        return <section key={text} aria-labelledby={`faithful-${text}`}><h2 id={`faithful-${text}`}>How well the graphs predict their {words.many}, {TEXTS[text] ?? text}</h2>
          <Table rows={rows} predictors={predictors} model={model} />
          <div class="columns three">{MEASURES.map(([measure, title]) => <section key={measure}><h3>{title}</h3>
            <Lines of={series(rows, predictors, measure)} title={`${title} by layer, beside look-up tables`} along="layer" href={measure === "f1" ? href : undefined} /></section>)}</div></section>;
      })}
      <p class="measured">{report.rule}</p>
      <details class="configuration"><summary>How it was ingested</summary><dl class="parameters">
        {[["site", report.site], ["activation function", report.activation_function], ["corpus", report.corpus], ...Object.entries(report.configuration)].map(([name, value]) =>
          <><dt>{String(name).replaceAll("_", " ")}</dt><dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd></>)}</dl></details></>;
  }}</Loaded>;
}

const three = (value: number | null | undefined) => (value === null || value === undefined ? "–" : value.toFixed(3));

function Table({ rows, predictors, model }: { rows: Scored[]; predictors: string[]; model: string | null }) {
  const layers = [...new Set(rows.map((row) => row.layer))].sort((first, second) => Number(first === null) - Number(second === null) || (first ?? 0) - (second ?? 0));
  return <div class="scroll" tabIndex={0} role="group" aria-label="Scores by layer"><table class="rows paper"><caption class="unseen">Precision, recall and F1 by layer, beside look-up tables</caption>
    <thead><tr><td colSpan={2} /><th scope="colgroup" colSpan={4}>{PREDICTORS[predictors[0]!]}</th>{predictors.slice(1).map((name) => <th key={name} scope="col" class="number">{PREDICTORS[name]}</th>)}</tr>
      <tr><th scope="col">layer</th>{[words.many, "precision", "recall", "F1", "nodes", ...predictors.slice(1).map(() => "F1")].map((title, at) => <th key={at} scope="col" class="number">{title}</th>)}</tr></thead>
    <tbody>{layers.map((layer) => {
      const [own, ...others] = predictors.map((name) => rows.find((row) => row.layer === layer && row.predictor === name));
      const best = Math.max(...[own, ...others].map((row) => row?.f1 ?? 0));
      const scored = (row: Scored | undefined, at: number) => <td key={at} class="number">{row?.f1 === best && row.f1 !== null ? <strong data-tip="the best of this line">{three(row.f1)}</strong> : three(row?.f1)}</td>;
      return <tr key={String(layer)} class={layer === null ? "mean" : ""}><th scope="row">{layer === null ? "all" : <a class="wide-link" href={layerAt(layer, model)} aria-label={`Layer ${layer}`}>{layer}</a>}</th>
        <td class="number">{grouped(own?.neurons)}</td><td class="number">{three(own?.precision)}</td><td class="number">{three(own?.recall)}</td>{scored(own, 0)}
        <td class="number">{own?.nodes === null || own?.nodes === undefined ? "–" : own.nodes.toFixed(1)}</td>{others.map((row, at) => scored(row, at + 1))}</tr>;
    })}</tbody></table></div>;
}

function series(rows: Scored[], predictors: string[], measure: "f1" | "precision" | "recall"): Series[] {
  return predictors.map((name) => ({ name: PREDICTORS[name]!, look: Object.keys(PREDICTORS).indexOf(name), values: rows.filter((row) => row.predictor === name && row.layer !== null && row[measure] !== null)
    .sort((first, second) => first.layer! - second.layer!).map((row): [number, number] => [row.layer!, row[measure]!]) }));
}
