// Parts that many pages show: tokens, paths, meters, figures, refusals.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { answerAt } from "./address";
import { coloured } from "./colours";
import { counted, literal, parted, score } from "./format";
import type { Asked, Refused } from "./server";
import type { Path, Step } from "./types";
import { words } from "./words";

const COUNTED = 4; // as many any-tokens in a row are counted, not drawn

/** The query for the units that have a token so far before the one that they fire on, which is 0. */
export function placeQuery(text: string, depth: number): string {
  return `${words.many} MATCHING ${literal(text)}${" THEN _".repeat(depth)}`;
}

/** The query for the units that have a whole pattern. */
export function patternQuery(steps: { text: string | null }[]): string {
  return `${words.many} MATCHING ${steps.map((step) => (step.text === null ? "_" : literal(step.text))).join(" THEN ")}`;
}

/** One token, its text in a direction of its own. */
export function Chip({ shown, kind = "", tip, href, onClick }: { shown: string; kind?: string; tip?: string; href?: string; onClick?: () => void }) {
  const attributes = { class: `token ${kind}`.trim(), "data-tip": tip };
  return href ? <a {...attributes} href={href} onClick={onClick}><bdi>{shown}</bdi></a> : <bdi {...attributes}>{shown}</bdi>;
}

/** A few tokens that a neuron fires on, in a table. */
export function FiresOn({ tokens }: { tokens: string[] }) {
  return <span class="tokens">{tokens.map((shown) => <Chip key={shown} shown={shown} kind="fires" />)}</span>;
}

/** A path in text order: what the query names is marked, the last step is what the neuron fires on; each leads on. */
export function PathLine({ path, model }: { path: Path; model: string | null }) {
  const parts: JSX.Element[] = [];
  const { steps } = path;
  for (let at = 0; at < steps.length; at += 1) {
    const step = steps[at]!;
    if (step.text === null) {
      let stop = at;
      while (steps[stop + 1]?.text === null) stop += 1;
      const count = stop - at + 1;
      const shown = count < COUNTED ? Array(count).fill("_").join(" ") : `_ ×${count}`;
      parts.push(<Chip key={at} shown={shown} kind="any" tip={count === 1 ? "any one token" : `any ${count} tokens`} />);
      at = stop;
    } else parts.push(<StepChip key={at} step={step} model={model} />);
  }
  return <span class="path">{parts}</span>;
}

function StepChip({ step, model }: { step: Step; model: string | null }) {
  const fires = step.depth === 0;
  const said = [fires ? "fires here" : step.depth === 1 ? "one token before" : `${step.depth} tokens before`,
    step.importance === null ? null : `importance ${score(step.importance)}`,
    step.matched ? "named by the query" : null, `opens the ${words.many} that have it there`].filter(Boolean).join(", ");
  const chip = <Chip shown={step.shown} kind={fires ? "fires" : "context"} tip={said} href={answerAt(placeQuery(step.text ?? "", step.depth), model)} />;
  return step.matched ? <mark class="matched">{chip}</mark> : chip;
}

/** A value from 0 to 1 as a number and a bar; one that rests on few ``firings`` is marked, as on a terminal. */
export function Meter({ value, firings }: { value: number | null | undefined; firings?: number | null }) {
  if (value === null || value === undefined) return <span class="meter none">{score(value)}</span>;
  if (!isFew(firings)) return <span class="meter"><span>{score(value)}</span><Bar share={value} /></span>;
  return <span class="meter few" data-tip={`judged on ${counted(firings ?? 0, "firing")} only: it says little`}><span>{score(value)}?</span><Bar share={value} /></span>;
}

/** Firings below which a score says little. */
export const FEW = 10;

export const isFew = (firings: number | null | undefined): boolean => firings !== null && firings !== undefined && firings < FEW;

/** What the mark means, below a table that has it. */
export function FewKey({ shown }: { shown: boolean }) {
  return shown ? <p class="measured">?: judged on fewer than {FEW} firings</p> : null;
}

/** A thin bar from 0 to 1. */
export function Bar({ share }: { share: number }) {
  return <svg class="thin" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="4" /><rect class="value" width={Math.max(0, Math.min(1, share)) * 100} height="4" />
  </svg>;
}

export interface Figure { name: string; value: ComponentChildren; tip?: string }

/** A row of figures, each with its name and, where it has one, what it means. */
export function Figures({ of }: { of: Figure[] }) {
  return <dl class="figures">{of.map(({ name, value, tip }) =>
    <div key={name}><dt>{tip ? <button type="button" class="explained-name" data-tip={tip}>{name}</button> : name}</dt><dd>{value}</dd></div>)}</dl>;
}

/** A neuron's state, in words and a sign. */
export function State({ of }: { of: string }) {
  const signs: Record<string, string> = { live: "●", dead: "○", unpredicted: "◐", dense: "◍" };
  return <span class={`state ${of}`}><span aria-hidden="true">{signs[of] ?? "●"} </span>{of}</span>;
}

/** A query in its colours. */
export function Query({ text }: { text: string }) {
  return <code class="query">{coloured(text).map(([kind, part], at) => <span key={at} class={`q-${kind}`}>{part}</span>)}</code>;
}

/** What the server refused, and how to try again. */
export function Refusal({ error, retry }: { error: Refused; retry?: () => void }) {
  return <p class="refusal" role="alert">{error.message}{error.hint ? <span class="faint"> {error.hint}</span> : null}
    {retry ? <> <button type="button" class="quiet" onClick={retry}>Try again</button></> : null}</p>;
}

/** What was asked for, or that it is on its way, or why it does not come; what is there stays meanwhile. */
export function Loaded<T>({ of, children, what }: { of: Asked<T>; children: (data: T) => ComponentChildren; what?: string }) {
  return <div aria-busy={of.busy ? "true" : undefined}>
    {of.busy ? <Waiting of={of} what={what} /> : null}
    {of.error ? <Refusal error={of.error} retry={of.retry} /> : null}
    {of.data === null ? null : children(of.data)}
  </div>;
}

/** How long a question has run, what it does, and a way to stop it; nothing is said of a quick one. */
export function Waiting({ of, what }: { of: { since: number; cancel: () => void }; what?: ComponentChildren }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((performance.now() - of.since) / 1000), 100);
    return () => clearInterval(timer);
  }, [of.since]);
  if (seconds < 0.4) return null;
  return <p class="waiting" role="status"><span class="spinner" aria-hidden="true" /> {what ?? "Asking"} <span class="number" aria-hidden="true">{seconds.toFixed(1)} s</span>
    {" "}<button type="button" onClick={of.cancel}>Cancel</button></p>;
}

/** A text with its line breaks marked, as a token shows it. */
export function Marked({ text }: { text: string }) {
  return <>{parted(text).map((part, at) => (part.marked ? <i key={at} class="mark-sign">{part.text}</i> : part.text))}</>;
}

/** A button that copies a text, and says so. */
export function Copy({ text, children }: { text: () => string | Promise<string>; children: ComponentChildren }) {
  const [said, setSaid] = useState<string | null>(null);
  const timer = useRef(0);
  async function copy() {
    try {
      await navigator.clipboard.writeText(await text());
      setSaid("Copied");
    } catch {
      setSaid("Not allowed"); // by the browser: its own message says no more
    }
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setSaid(null), 1600);
  }
  return <button type="button" onClick={copy}>{said ?? children}<span class="unseen" role="status">{said ?? ""}</span></button>;
}

/** Say something to those who listen to the page. */
export function announce(text: string): void {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}

/** Listen to single keys while nobody is typing. */
export function useKeys(actions: Record<string, (event: KeyboardEvent) => void>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const action = latest.current[event.key];
      if (!action || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      const [target] = event.composedPath();
      if (target instanceof Element && target.closest("input, textarea, select, [contenteditable='true'], [data-keys]")) return;
      event.preventDefault();
      action(event);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
