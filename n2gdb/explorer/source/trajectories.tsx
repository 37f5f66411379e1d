// A neuron's trajectories: how much of its activation is left when its top examples are cut short.

import { useEffect } from "preact/hooks";
import { neuronAt, type Place } from "./address";
import { Lines } from "./chart";
import { duration, score } from "./format";
import { Loaded } from "./parts";
import { useAsked } from "./server";
import type { Cost } from "./types";

interface Followed {
  neuron: string; mean: number[]; whole: number; cost: Cost;
  examples: { rank: number; split: string; texts: string[]; activation: number[]; importance: (number | null)[]; important: boolean[]; whole: number }[];
}

export function TrajectoriesPage({ place, model }: { place: Place; model: string | null }) {
  const name = place.names[0]!;
  const told = useAsked<Followed>(`/api/neuron/${encodeURIComponent(name)}/trajectories`, { model });
  useEffect(() => { document.title = `Trajectories of ${name} · n2gdb`; }, [name]);
  return <><header class="title"><h1 tabIndex={-1}>Trajectories of <a href={neuronAt(name, model)}>{name}</a></h1></header>
    <p class="measured">The model runs again on the top examples, cut to their last 1, 2, 3, … tokens: how much context it needs. 1 is its largest activation.</p>
    <Loaded of={told} what="Running the model on the cut examples">{(data) => <>
      <Lines of={[{ name: "mean", values: data.mean.map((value, at): [number, number] => [at + 1, Math.max(0, value)]) },
        ...data.examples.slice(0, 3).map((example): { name: string; values: [number, number][] } => ({ name: `example ${example.rank + 1}`, values: [...example.activation].reverse().map((value, at): [number, number] => [at + 1, Math.max(0, value)]) }))]}
        title="activation on the last tokens of the prompt" along="tokens of the prompt" />
      <p>In the whole window: {score(data.whole)} on average. The model was loaded in {duration(data.cost.load_seconds * 1000)}, once; this took {duration(data.cost.run_seconds * 1000)}; its process holds {(data.cost.memory / 1e9).toFixed(1)} GB.</p>
      {data.examples.map((example) => <article key={example.rank} class="example"><p class="about faint"><span class="rank">{example.rank + 1}</span><span class="split">{example.split}</span>whole window {score(example.whole)}; colour: activation when the prompt begins there; underlined: an important token</p>
        <p class="reading" dir="ltr">{example.texts.map((text, at) => <span key={at} class={`tok${example.important[at] ? " pattern-lit" : ""}${at === example.texts.length - 1 ? " pivot" : ""}`} style={{ "--v": Math.max(0, Math.min(1, example.activation[at] ?? 0)).toFixed(2) }}
          data-tip={`${score(example.activation[at])} from here on${example.importance[at] === null ? "" : `, importance ${score(example.importance[at])}`}`}>{text}</span>)}</p></article>)}</>}</Loaded></>;
}
