// Pictures that the server drew: small ones as they are; a neuron's graph answers to pointer and keyboard.

import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomBehavior } from "d3-zoom";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { answerAt, go, note } from "./address";
import { placeQuery, Refusal } from "./parts";
import { fetchText, Refused } from "./server";

const STYLE = /<style[^>]*>(?:<!\[CDATA\[)?([\s\S]*?)(?:\]\]>)?<\/style>/g;
const sheets = new Map<string, CSSStyleSheet>();

// Style sheets are adopted, not written into the page: the content security policy allows no inline style.
// They are cut out before the rest is read; the server escapes every text, so none of it can look like one.
function sheetOf(rules: string): CSSStyleSheet {
  let sheet = sheets.get(rules);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    sheets.set(rules, sheet);
  }
  return sheet;
}

// Read as XML of its own: nothing in it runs, and what is not a picture is refused.
function drawnIn(host: HTMLElement, text: string, rules = ""): SVGSVGElement {
  const styles = [...text.matchAll(STYLE)].map(([, found]) => found!);
  const svg = new DOMParser().parseFromString(text.replaceAll(STYLE, ""), "image/svg+xml").documentElement;
  if (svg.localName !== "svg" || svg.querySelector("script, foreignObject")) throw new Error("the server sent no picture");
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [...styles, rules].filter(Boolean).map(sheetOf);
  const put = document.importNode(svg, true) as unknown as SVGSVGElement;
  root.replaceChildren(put);
  return put;
}

/** A picture as it is; `label` says what it shows, without one it only repeats what is beside it. */
export function Picture({ svg, kind, label }: { svg: string; kind: string; label?: string }) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => { if (place.current) drawnIn(place.current, svg); }, [svg]);
  return <span class={kind} ref={place} role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : "true"} />;
}

/** A picture that is fetched. */
export function FetchedPicture({ url, label }: { url: string; label: string }) {
  const { svg, error, retry } = useSvg(url);
  return <div class="picture still scroll" tabIndex={0} role="group" aria-label={label} aria-busy={svg === null && !error ? "true" : undefined}>
    {error ? <Refusal error={error} retry={retry} /> : null}{svg ? <Picture svg={svg} kind="whole" label={label} /> : null}</div>;
}

function useSvg(url: string): { svg: string | null; error: Refused | null; retry: () => void } {
  const [svg, setSvg] = useState<string | null>(null);
  const [error, setError] = useState<Refused | null>(null);
  const [turn, setTurn] = useState(0);
  useLayoutEffect(() => {
    const mine = new AbortController();
    fetchText(url, mine.signal).then((text) => { setSvg(text); setError(null); }, (failed) => {
      if (mine.signal.aborted) return;
      if (!(failed instanceof Refused)) throw failed;
      setError(failed);
    });
    return () => mine.abort();
  }, [url, turn]);
  return { svg, error, retry: () => setTurn((now) => now + 1) };
}

const LIVE = `
:host{display:block}
svg{width:100%;height:100%;display:block;touch-action:pan-x pan-y;cursor:grab}
g[data-t]{cursor:pointer;outline:none}
g[data-t]:focus-visible rect:last-of-type{stroke:var(--focus);stroke-width:3;stroke-opacity:1}
.lighting g[data-p]:not(.lit),.lighting path[data-p]:not(.lit){opacity:.22}
.lighting path.lit{stroke:var(--ink);stroke-width:2.4}
.lighting g.lit rect:last-of-type{stroke-opacity:1;stroke-width:2}
@media (prefers-reduced-motion:no-preference){g[data-p],path[data-p]{transition:opacity .12s}}`;

/** A pattern of the picture: the tokens that it names, by how far each stands before the last. */
export type Lit = ReadonlyMap<number, string>;

const HEIGHT = 480;

/**
 * A neuron's graph. Pointing at a token, or moving to it with the arrows, lights the strongest real pattern through it;
 * the next one by N; Enter or a click asks for the neurons that have the token in that place.
 */
export function Graph({ url, label, model, onlit, tall }: { url: string; label: string; model: string | null; onlit: (lit: Lit | null) => void; tall: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const behaviour = useRef<{ zoom: ZoomBehavior<SVGSVGElement, unknown>; svg: SVGSVGElement; fit: (how: "width" | "whole") => void } | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const [cut, setCut] = useState(false);
  const { svg: text, error, retry } = useSvg(url);
  const told = useRef({ onlit, model });
  told.current = { onlit, model };

  useEffect(() => {
    const host = place.current;
    if (!host || text === null) return undefined;
    const svg = drawnIn(host, text, LIVE);
    const [x, y, width, height] = svg.getAttribute("viewBox")!.split(/\s+/).map(Number) as [number, number, number, number];
    const inner = document.createElementNS("http://www.w3.org/2000/svg", "g");
    inner.append(...[...svg.childNodes].filter((child) => child.nodeName !== "title"));
    svg.append(inner);
    for (const name of ["viewBox", "width", "height", "role"]) svg.removeAttribute(name);
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", label);
    // The whole picture where it can be read so; else its right edge, as there are the tokens that it fires on.
    const fit = (how: "width" | "whole") => {
      const wide = host.clientWidth;
      const whole = Math.min(1.15, wide / width, how === "whole" ? (host.clientHeight || HEIGHT) / height : Infinity);
      const down = HEIGHT / height; // a little smaller, where all of it is seen then
      const wider = Math.max(whole, 0.62);
      const scale = how === "whole" ? whole : !tall && down < wider && down >= 0.72 * wider ? down : wider;
      const room = Math.min(Math.max(height * scale, 60), tall ? Infinity : HEIGHT);
      if (how === "width") host.style.height = `${Math.ceil(room)}px`;
      setCut(how === "width" && (height * scale > room + 2 || width * scale > wide + 2));
      const left = width * scale > wide ? wide - width * scale : (wide - width * scale) / 2;
      select(svg).call(zooming.transform, zoomIdentity.translate(left - x * scale, -y * scale).scale(scale));
    };
    const zooming = zoom<SVGSVGElement, unknown>().scaleExtent([0.2, 4]).extent(() => [[0, 0], [host.clientWidth, host.clientHeight]])
      .filter((event: Event) => (event.type === "wheel" ? (event as WheelEvent).ctrlKey || (event as WheelEvent).metaKey
        : event.type.startsWith("touch") ? (event as TouchEvent).touches.length > 1 : !(event as MouseEvent).button))
      .on("zoom", (event) => inner.setAttribute("transform", event.transform.toString()));
    select(svg).call(zooming).on("dblclick.zoom", null);
    behaviour.current = { zoom: zooming, svg, fit };
    fit("width");

    const tokens = [...svg.querySelectorAll<SVGGElement>("g[data-t]")];
    const lines = [...svg.querySelectorAll<SVGPathElement>("path[data-p]")];
    const patterns = (element: Element) => (element.getAttribute("data-p") ?? "").split(" ").filter(Boolean).map(Number);
    const wordOf = (token: Element) => token.querySelector("title")?.textContent?.split("\n")[0] ?? "";
    const textOf = (token: Element) => JSON.parse(token.getAttribute("data-t")!) as string;
    const depthOf = (token: Element) => Number(token.getAttribute("data-d"));
    let turn = 0;
    for (const [at, token] of tokens.entries()) {
      token.setAttribute("tabindex", at === 0 ? "0" : "-1");
      token.setAttribute("role", "link");
      const [whole, ...said] = (token.querySelector("title")?.textContent ?? "").split("\n");
      const seen = token.querySelector("text")?.textContent ?? "";
      token.setAttribute("aria-label", [seen, ...(whole === seen ? [] : [whole]), ...said].join(", "));
    }
    const light = (token: Element | null) => {
      svg.classList.toggle("lighting", token !== null);
      if (token === null) { setSaid(null); told.current.onlit(null); return; }
      const through = patterns(token);
      const number = through[turn % Math.max(1, through.length)] ?? -1;
      const [named, exact] = [new Map<number, string>(), new Map<number, string>()];
      for (const each of [...tokens, ...lines]) each.classList.toggle("lit", patterns(each).includes(number));
      for (const each of tokens) {
        if (!each.classList.contains("lit")) continue;
        named.set(depthOf(each), wordOf(each));
        exact.set(depthOf(each), textOf(each));
      }
      const written = Array.from({ length: Math.max(...named.keys()) + 1 }, (_, depth) => named.get(depth) ?? "_").reverse().join(" · ");
      told.current.onlit(exact);
      const others = through.length > 1 ? ` (${(turn % through.length) + 1} of ${through.length} through this token: N for the next)` : "";
      setSaid(`pattern ${number + 1}: ${written}${others}. Enter asks for ${wordOf(token)} in this place.`);
    };
    const follow = (token: Element) => go(answerAt(placeQuery(textOf(token), depthOf(token)), told.current.model));
    const tokenOf = (event: Event) => (event.target as Element).closest?.("g[data-t]") ?? null;
    let pointed: Element | null = null;
    const on = <K extends keyof SVGElementEventMap>(kind: K, listener: (event: SVGElementEventMap[K]) => void) => svg.addEventListener(kind, listener as EventListener);
    on("pointerover", (event) => { const token = tokenOf(event); if (token !== pointed) { turn = 0; pointed = token; light(token); } });
    on("pointerleave", () => { pointed = null; light(null); });
    on("click", (event) => { const token = tokenOf(event); if (token && !event.defaultPrevented) follow(token); });
    on("focusin", (event) => { const token = tokenOf(event); turn = 0; if (token) light(token); });
    on("focusout", () => light(null));
    on("keydown", (event) => {
      const token = tokenOf(event);
      if (!token || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") follow(token);
      else if (event.key === "n" || event.key === "N") { turn += 1; light(token); }
      else if (event.key === "Escape") light(null);
      else if (event.key.startsWith("Arrow")) {
        const next = nearest(tokens, token, event.key);
        if (next) { token.setAttribute("tabindex", "-1"); next.setAttribute("tabindex", "0"); next.focus(); seen(next); }
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    // What is moved to by keys is brought into the picture.
    const seen = (token: SVGGElement) => {
      const [inside, around] = [token.getBoundingClientRect(), host.getBoundingClientRect()];
      const by = (low: number, high: number, least: number, most: number) => (low < least ? least - low + 12 : high > most ? most - high - 12 : 0);
      const [dx, dy] = [by(inside.left, inside.right, around.left, around.right), by(inside.top, inside.bottom, around.top, around.bottom)];
      const scale = Number(/scale\(([\d.]+)\)/.exec(inner.getAttribute("transform") ?? "")?.[1] ?? 1);
      if (dx || dy) select(svg).call(zooming.translateBy, dx / scale, dy / scale);
    };
    let width0 = host.clientWidth;
    const watch = new ResizeObserver(() => { if (host.clientWidth !== width0) { width0 = host.clientWidth; fit("width"); } });
    watch.observe(host);
    return () => watch.disconnect();
  }, [text, tall, label]);

  const scale = (by: number) => { const now = behaviour.current; if (now) select(now.svg).call(now.zoom.scaleBy, by); };
  return <div class="live">
    {error ? <Refusal error={error} retry={retry} /> : null}
    <div class="picture" ref={place} aria-busy={text === null && !error ? "true" : undefined} data-keys />
    <div class="controls" role="group" aria-label="The picture">
      <button type="button" aria-label="Larger" data-tip="larger; or Ctrl and the wheel, or two fingers" onClick={() => scale(1.3)}>+</button>
      <button type="button" aria-label="Smaller" onClick={() => scale(1 / 1.3)}>−</button>
      <button type="button" onClick={() => behaviour.current?.fit("whole")}>Fit</button>
      {cut || tall ? <button type="button" aria-pressed={tall} onClick={() => note({ tall: !tall })}>{tall ? "Less height" : "Whole height"}</button> : null}
      <span class="lit-said" role="status">{said ?? (cut ? "There is more than fits: drag, or show the whole." : "Point at a token, or go through them with the arrows.")}</span>
    </div>
  </div>;
}

/** The nearest token in the direction of an arrow key. */
function nearest(tokens: SVGGElement[], from: Element, key: string): SVGGElement | null {
  const middle = (each: Element) => { const box = each.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2] as const; };
  const [x, y] = middle(from);
  const level = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  let best: [number, SVGGElement] | null = null;
  for (const each of tokens) {
    const [dx, dy] = [middle(each)[0] - x, middle(each)[1] - y];
    const [along, across] = level ? [dx * sign, Math.abs(dy)] : [dy * sign, Math.abs(dx)];
    if (along <= 1) continue;
    const far = along + across * 3;
    if (!best || far < best[0]) best = [far, each];
  }
  return best?.[1] ?? null;
}
