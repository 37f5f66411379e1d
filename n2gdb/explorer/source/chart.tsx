// Charts: Observable Plot draws them, once a page shows one; every mark is a link, or says its value to keyboard and touch.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Axis, Bin, Column, Look, Series } from "./charts";

export type { Bin, Column, Series } from "./charts";

type Charts = typeof import("./charts");

let fetched: Charts | null = null;
const waiting = new Set<(charts: Charts) => void>();

// The library is asked for once a chart comes near to what is seen; all charts of the page are drawn then.
async function fetchCharts(): Promise<void> {
  fetched ??= await import("./charts");
  for (const each of waiting) each(fetched);
}

/** Columns of counts. */
export function Columns({ of, ...look }: { of: Column[]; title: string; counted: string }) {
  return <Chart key_={JSON.stringify(of)} look={look} draw={(charts, width) => charts.drawColumns(of, { ...look, width })} />;
}

/** A histogram; with `log` both of its axes are logarithmic, and `mark` points out a value. */
export function Histogram({ of, log, mark, ...look }: { of: Bin[]; title: string; counted: string } & Axis) {
  return <Chart key_={JSON.stringify(of)} look={look} draw={(charts, width) => charts.drawHistogram(of, { ...look, width }, { log, mark })} />;
}

/** Lines of values from 0 to 1 along whole numbers, such as layers; what `href` leads to, marks lead to. */
export function Lines({ of, title, along, href }: { of: Series[]; title: string; along: string; href?: (at: number) => string | null }) {
  const shown = of.filter((series) => series.values.length);
  return <div><Chart key_={JSON.stringify(shown)} look={{ title }} draw={(charts, width) => charts.drawLines(shown, { title: along, width }, href ?? (() => null))} />
    <p class="chart-key">{shown.map((series, place) => <span key={series.name}><svg viewBox="-6 -6 12 12" class={`series s${series.look ?? place}`} aria-hidden="true"><path d={SHAPES[series.look ?? place]} /></svg>{series.name}</span>)}</p></div>;
}

const SHAPES = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-3.5-3.5h7v7h-7z", "M0-4.5l4.5 8h-9z", "M0-5l5 5l-5 5l-5-5z", "M0-5.4L1.5-1.7L5.2-1.7L2.3 .6L3.3 4.4L0 2.2L-3.3 4.4L-2.3 .6L-5.2-1.7L-1.5-1.7Z"];

function Chart({ key_, look, draw }: { key_: string; look: Omit<Look, "width">; draw: (charts: Charts, width: number) => SVGSVGElement }) {
  const place = useRef<HTMLDivElement>(null);
  const [charts, setCharts] = useState<Charts | null>(() => fetched);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const came = (library: Charts) => setCharts(() => library);
    waiting.add(came);
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      seen.disconnect();
      void fetchCharts();
    }, { rootMargin: "200px" });
    const sized = new ResizeObserver(([entry]) => setWidth(Math.min(520, Math.round(entry!.contentRect.width))));
    seen.observe(place.current!);
    sized.observe(place.current!);
    return () => { waiting.delete(came); seen.disconnect(); sized.disconnect(); };
  }, []);
  useEffect(() => {
    if (charts && width) place.current!.replaceChildren(draw(charts, width));
  }, [charts, width, key_]);
  const said = [look.title, look.counted && `counted: ${look.counted}`].filter(Boolean).join("; ");
  return <div class="plotted" ref={place} role="group" aria-label={said} />;
}
