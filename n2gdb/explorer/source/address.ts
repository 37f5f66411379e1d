// The address: it holds all that is seen, so that Back, a reload and a copied link bring it back.

import { useEffect, useState } from "preact/hooks";

export type Page = "answer" | "neuron" | "layer" | "model" | "compare" | "pairs" | "notes" | "trajectories" | "help";

export interface Place {
  page: Page;
  names: string[];
  get(name: string): string | null;
  href: string;
}

const FORMS: [Page, RegExp][] = [
  ["answer", /^\/$/],
  ["neuron", /^\/neuron\/([^/]+)$/],
  ["layer", /^\/layer\/(\d+)$/],
  ["model", /^\/model$/],
  ["compare", /^\/compare$/],
  ["compare", /^\/compare\/([^/]+)\/([^/]+)$/],
  ["pairs", /^\/pairs$/],
  ["notes", /^\/notes$/],
  ["trajectories", /^\/trajectories\/([^/]+)$/],
  ["help", /^\/help$/],
];

/** Return the page that an address names: null where there is none. */
export function placeOf(url: URL): Place | null {
  for (const [page, form] of FORMS) {
    const names = form.exec(url.pathname)?.slice(1).map(decoded);
    if (names?.every((name): name is string => name !== null)) {
      return { page, names, get: (name) => url.searchParams.get(name), href: url.pathname + url.search };
    }
  }
  return null;
}

// A name whose percent signs mean nothing is not a name.
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

export type Parameters = Record<string, string | number | boolean | null | undefined>;

/** Write an address; parameters that are null, false or empty are left out. */
export function address(path: string, parameters: Parameters = {}): string {
  const kept = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "");
  const query = new URLSearchParams(kept.map(([name, value]) => [name, value === true ? "yes" : String(value)])).toString();
  return query ? `${path}?${query}` : path;
}

export const answerAt = (q: string | null, model: string | null = null) => address("/", { q, model });
export const neuronAt = (neuron: string, model: string | null) => address(`/neuron/${encodeURIComponent(neuron)}`, { model });
export const layerAt = (layer: number, model: string | null) => address(`/layer/${layer}`, { model });
export const modelAt = (model: string | null) => address("/model", { model });
export const compareAt = (names: string[]) => address("/compare", { names: names.join(",") });

let listeners: (() => void)[] = [];

function changed(): void {
  for (const listener of [...listeners]) listener();
}

/** Go to another page of the explorer, leaving this one in the history. */
export function go(href: string): void {
  history.pushState(null, "", href);
  changed();
}

/** Write what is seen into the address of this page; `push` where Back is to undo it. */
export function note(parameters: Parameters, { push = false } = {}): void {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null || value === undefined || value === false || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value === true ? "yes" : String(value));
  }
  const href = url.pathname + url.search + url.hash;
  if (href === location.pathname + location.search + location.hash) return;
  if (push) history.pushState(null, "", href);
  else history.replaceState(history.state, "", href);
  changed();
}

/** The place that the address names now. */
export function usePlace(): Place | null {
  const [place, setPlace] = useState(() => placeOf(new URL(location.href)));
  useEffect(() => {
    const listener = () => setPlace(placeOf(new URL(location.href)));
    listeners.push(listener);
    window.addEventListener("popstate", listener);
    listener();
    return () => {
      listeners = listeners.filter((each) => each !== listener);
      window.removeEventListener("popstate", listener);
    };
  }, []);
  return place;
}

// Links lead within the page, where they lead to a page of it.
document.addEventListener("click", (event) => {
  const link = (event.composedPath().find((each) => each instanceof Element && each.matches?.("a[href]")) ?? null) as HTMLAnchorElement | SVGAElement | null;
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.hasAttribute("download") || link.hasAttribute("target")) return;
  const url = new URL(link.getAttribute("href") ?? "", location.href);
  if (url.origin !== location.origin || (url.hash && url.pathname === location.pathname && url.search === location.search)) return;
  if (placeOf(url) === null) return;
  event.preventDefault();
  go(url.pathname + url.search + url.hash);
});

// The scroll is part of the address: kept as one scrolls, restored when the page is as long as it was.
history.scrollRestoration = "manual";
let writing = 0;
let restoring = false;
window.addEventListener("scroll", () => {
  if (restoring) return;
  clearTimeout(writing);
  const at = location.pathname;
  writing = window.setTimeout(() => {
    if (at === location.pathname) note({ y: Math.round(window.scrollY / 10) * 10 || null });
  }, 150);
}, { passive: true });

/** Scroll to where the address says, waiting until there is so much of the page. */
export function restoreScroll(): () => void {
  clearTimeout(writing);
  const wanted = Number(new URL(location.href).searchParams.get("y") ?? 0);
  if (!wanted) {
    window.scrollTo(0, 0);
    return () => {};
  }
  restoring = true;
  const stop = () => {
    if (!restoring) return;
    restoring = false;
    watch.disconnect();
    clearTimeout(last);
    for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) removeEventListener(kind, stop);
  };
  const step = () => {
    window.scrollTo(0, wanted);
    if (document.documentElement.scrollHeight >= wanted + innerHeight) settle();
  };
  let settling = 0;
  const settle = () => {
    clearTimeout(settling);
    settling = window.setTimeout(() => { window.scrollTo(0, wanted); stop(); }, 300);
  };
  const watch = new ResizeObserver(step);
  watch.observe(document.body);
  const last = window.setTimeout(stop, 8000);
  for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(kind, stop);
  return stop;
}
