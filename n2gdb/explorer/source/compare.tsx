// Neurons side by side: what they share, what each has alone, how alike they are.

import { useEffect } from "preact/hooks";
import { address, compareAt, go, neuronAt, restoreScroll, type Place } from "./address";
import { grouped, score } from "./format";
import { Chip, FewKey, isFew, Loaded, Meter, PathLine } from "./parts";
import { FetchedPicture } from "./picture";
import { Reading, ReadingKey } from "./reading";
import { useAsked } from "./server";
import type { Database, Example, Pattern } from "./types";
import { words } from "./words";

interface Compared {
  neurons: { neuron: string; model: string; f1: number | null; true_firings: number; heldout_f1: number | null; heldout_firings: number | null; n_patterns: number; alone: Pattern[]; n_alone: number; tokens: Named[]; example: Example[] }[];
  shared: Pattern[]; n_shared: number; tokens: Named[]; scores: { first: string; second: string; graph: number; cofiring: number; tokens: number; subset: number }[];
}
interface Named { role: string; text: string; shown: string }

export function ComparePage({ place, database, model }: { place: Place; database: Database; model: string | null }) {
  const many = database.models.length > 1;
  const own = place.get("model");
  const names = place.names.length
    ? [`${place.names[0]}${own ? `=${own}` : ""}`, `${place.names[1]}${place.get("second_model") ?? own ? `=${place.get("second_model") ?? own}` : ""}`].join(",")
    : (place.get("names") ?? "");
  const listed = names.split(",").filter(Boolean);
  const told = useAsked<Compared>(listed.length > 1 ? "/api/comparison" : null, { names });
  useEffect(() => { document.title = `${listed.map((name) => name.split("=")[0]).join(" and ")} · n2gdb`; }, [names]);
  useEffect(() => (told.data ? restoreScroll() : undefined), [told.data !== null]);
  return <><header class="title"><h1 tabIndex={-1}>{listed.map((name, at) => <>{at ? " and " : ""}<a href={neuronAt(name.split("=")[0]!, name.split("=")[1] ?? null)}>{name.split("=")[0]}</a></>)}{listed.length ? null : `Compare ${words.many}`}</h1></header>
    <form class="inline" onSubmit={(event) => {
      event.preventDefault();
      const name = String(new FormData(event.currentTarget).get("neuron") ?? "").trim();
      if (name) go(compareAt([...listed, many && !name.includes("=") && model ? `${name}=${model}` : name]));
    }}><label for="other">{listed.length ? "With another" : `A ${words.one}`}</label><input id="other" name="neuron" placeholder={words.named} maxLength={200} /><button type="submit">Add</button>
      {listed.length > 2 ? listed.map((name) => <button key={name} type="button" class="quiet" onClick={() => go(compareAt(listed.filter((each) => each !== name)))}>without {name.split("=")[0]}</button>) : null}</form>
    {listed.length > 1 ? <figure class="graph"><FetchedPicture url={address("/api/compare.svg", { names })} label={`Graphs of ${listed.map((name) => name.split("=")[0]).join(" and ")}, what all share ringed in green`} />
      <figcaption>ringed in green: what all graphs have, a token in the same place</figcaption></figure> : null}
    <Loaded of={told} what="Comparing">{(data) => <>
      <section><h2>How alike they are</h2><div class="scroll" tabIndex={0} role="group" aria-label="Similarity"><table class="rows narrow"><thead><tr><th scope="col">pair</th><th scope="col" class="number">alike graphs</th><th scope="col" class="number">firing together</th><th scope="col" class="number">shared tokens</th><th scope="col" class="number">part of the other</th></tr></thead>
        <tbody>{data.scores.map((each) => <tr key={`${each.first} ${each.second}`}><th scope="row">{each.first}, {each.second}</th><td class="number"><Meter value={each.graph} /></td><td class="number"><Meter value={each.cofiring} /></td><td class="number"><Meter value={each.tokens} /></td><td class="number"><Meter value={each.subset} /></td></tr>)}</tbody></table></div></section>
      <section><h2>Shared by all: {grouped(data.n_shared)} patterns</h2>{data.shared.length ? <Patterns of={data.shared} model={model} /> : <p class="nothing">No pattern is shared.</p>}<Tokens of={data.tokens} said="tokens of the same role in all" /></section>
      <div class={`columns ${data.neurons.length > 2 ? "three" : ""}`}>{data.neurons.map((each) => <section key={`${each.model}/${each.neuron}`}><h2><a class="neuron" href={neuronAt(each.neuron, many ? each.model : null)}>{each.neuron}</a> alone: {grouped(each.n_alone)} of {grouped(each.n_patterns)} patterns</h2>
        <p class="faint">{each.heldout_f1 === null ? `F1 ${score(each.f1)} on top examples` : `F1 ${score(each.heldout_f1)}${isFew(each.heldout_firings) ? "?" : ""} on held-out text`}{many ? `, ${each.model}` : ""}</p>
        <Patterns of={each.alone} model={model} /><Tokens of={each.tokens} said="tokens that no other has" />
        {each.example.map((example) => { const start = Math.max(0, example.pivot - 24);
          return <article key={example.rank} class="example"><p class="about faint">top example</p><Reading tokens={example.tokens.slice(start, example.pivot + 8).map((token) => ({ ...token, at: token.at.map((at) => at - start), against: token.against.map((at) => at - start) }))} both pivot={example.pivot - start} model={model} label={`Top example of ${each.neuron}`} /></article>; })}</section>)}</div>
      <FewKey shown={data.neurons.some((each) => each.heldout_f1 !== null && isFew(each.heldout_firings))} /><ReadingKey both /></>}</Loaded></>;
}

function Patterns({ of, model }: { of: Pattern[]; model: string | null }) {
  return <ol class="patterns">{of.map((pattern, at) => <li key={at}><Meter value={pattern.activation} /><PathLine path={pattern.path} model={model} /></li>)}</ol>;
}

function Tokens({ of, said }: { of: Named[]; said: string }) {
  return of.length ? <p class="tokens" aria-label={said}>{of.map((each) => <Chip key={`${each.role} ${each.text}`} shown={each.shown} kind={each.role === "activating" ? "fires" : "context"} tip={`${each.role}: ${said}`} />)}</p> : null;
}
