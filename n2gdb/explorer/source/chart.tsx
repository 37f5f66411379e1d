// Charts: D3's scales and ticks, drawn by the page so that every mark is a link or says its value to keyboard and touch.

import { max } from "d3-array";
import { scaleBand, scaleLinear } from "d3-scale";
import { grouped } from "./format";

const WIDTH = 420;
const HEIGHT = 190;
const EDGE = { left: 44, right: 12, top: 22, bottom: 42 };

export interface Column { label: string; count: number; said: string; href?: string | null }

/** Columns of counts; `edges` writes labels where columns meet. */
export function Columns({ of, title, counted, edges = false, log = false }: { of: Column[]; title: string; counted: string; edges?: boolean; log?: boolean }) {
  const x = scaleBand<number>().domain(of.map((_, at) => at)).range([EDGE.left, WIDTH - EDGE.right]).paddingInner(0.08);
  const lift = (count: number) => (log ? Math.log10(1 + count) : count);
  const y = scaleLinear().domain([0, lift(max(of, (each) => each.count) ?? 1) || 1]).nice(3).range([HEIGHT - EDGE.bottom, EDGE.top]);
  const each = Math.max(1, Math.ceil(of.length / 8));
  const ticks = log ? y.ticks(4).filter((tick) => Number.isInteger(tick)) : y.ticks(3).filter((tick) => Number.isInteger(tick));
  return <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={`${title}; counted: ${counted}`}>
    {ticks.map((tick) => <g key={tick}><line class="rule" x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(tick)} y2={y(tick)} />
      <text x={EDGE.left - 6} y={y(tick) + 4} text-anchor="end">{log ? grouped(10 ** tick - 1 || 0) : grouped(tick)}</text></g>)}
    {of.map((column, at) => {
      const left = x(at)!;
      const bar = <rect class="column" x={left} width={x.bandwidth()} y={y(lift(column.count))} height={Math.max(column.count ? 1 : 0, y(0) - y(lift(column.count)))} />;
      const reach = <rect class="reach" x={left} width={x.bandwidth()} y={EDGE.top} height={HEIGHT - EDGE.bottom - EDGE.top} />;
      return <g key={at}>{column.href && column.count
        ? <a href={column.href} data-tip={column.said} aria-label={column.said}>{reach}{bar}</a>
        : <g data-tip={column.said} role="img" aria-label={column.said}>{reach}{bar}</g>}
      {at % each === 0 ? <text x={edges ? left : left + x.bandwidth() / 2} y={HEIGHT - EDGE.bottom + 15} text-anchor="middle">{column.label}</text> : null}</g>;
    })}
    {edges ? <text x={WIDTH - EDGE.right} y={HEIGHT - EDGE.bottom + 15} text-anchor="middle">1.0</text> : null}
    <text class="axis" x={(EDGE.left + WIDTH - EDGE.right) / 2} y={HEIGHT - 6} text-anchor="middle">{title}</text>
    <text class="axis" x="0" y="11">{counted}</text>
  </svg>;
}

export interface Series { name: string; values: [number, number][] }

/** Lines of values from 0 to 1 along whole numbers, such as layers. */
export function Lines({ of, title, along, href }: { of: Series[]; title: string; along: string; href?: (at: number) => string | null }) {
  const every = of.flatMap((series) => series.values.map(([at]) => at));
  const x = scaleLinear().domain([Math.min(...every, 0), Math.max(...every, 1)]).range([EDGE.left + 12, WIDTH - EDGE.right - 12]);
  const y = scaleLinear().domain([0, Math.max(1, max(of, (series) => max(series.values, ([, value]) => value)) ?? 1)]).range([HEIGHT - EDGE.bottom, EDGE.top]);
  return <div><svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={title}>
    {y.ticks(3).map((tick) => <g key={tick}><line class="rule" x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(tick)} y2={y(tick)} />
      <text x={EDGE.left - 6} y={y(tick) + 4} text-anchor="end">{String(tick)}</text></g>)}
    {x.ticks(8).filter((tick) => Number.isInteger(tick)).map((tick) => <text key={tick} x={x(tick)} y={HEIGHT - EDGE.bottom + 15} text-anchor="middle">{tick}</text>)}
    {of.map((series, place) => <g key={series.name} class={`series s${place}`}>
      <polyline points={series.values.map(([at, value]) => `${x(at)},${y(value)}`).join(" ")} />
      {series.values.map(([at, value]) => {
        const said = `${series.name}, ${along} ${at}: ${value.toFixed(3)}`;
        const to = href?.(at);
        const mark = <><circle class="reach" cx={x(at)} cy={y(value)} r="12" /><Mark place={place} x={x(at)} y={y(value)} /></>;
        return to ? <a key={at} href={to} data-tip={said} aria-label={said}>{mark}</a> : <g key={at} data-tip={said} role="img" aria-label={said}>{mark}</g>;
      })}</g>)}
    <text class="axis" x={(EDGE.left + WIDTH - EDGE.right) / 2} y={HEIGHT - 6} text-anchor="middle">{along}</text>
  </svg>
  <p class="chart-key">{of.map((series, place) => <span key={series.name}><svg viewBox="0 0 12 12" class={`series s${place}`} aria-hidden="true"><Mark place={place} x={6} y={6} /></svg>{series.name}</span>)}</p></div>;
}

// Shapes as well as colours tell series apart.
function Mark({ place, x, y }: { place: number; x: number; y: number }) {
  if (place === 0) return <circle cx={x} cy={y} r="4" />;
  if (place === 1) return <rect x={x - 3.5} y={y - 3.5} width="7" height="7" />;
  if (place === 2) return <path d={`M${x} ${y - 4.5}l4.5 8h-9z`} />;
  return <path d={`M${x} ${y - 5}l5 5l-5 5l-5 -5z`} />;
}
