// Charts as Observable Plot draws them; fetched by the pages that show one.

import * as Plot from "@observablehq/plot";

export interface Column { label: string; count: number; said: string; href?: string | null }
/** ``firm`` of the count are drawn dark, the others pale; all of it where it is not given. */
export interface Bin { from: number; to: number; count: number; firm?: number; said: string; href?: string | null }
export interface Axis { log?: boolean; mark?: { at: number; said: string } }
/** ``look`` numbers its colour, dashes and shape; by its place among the others unless given. */
export interface Series { name: string; values: [number, number][]; look?: number }

export interface Look { width: number; title: string; counted?: string }

const HEIGHT = 200;
const EDGES = { marginTop: 24, marginLeft: 46, marginRight: 14, marginBottom: 40 };
const MARKS = ["circle", "square", "triangle", "diamond", "star"] as const;

// Plot writes a style sheet into what it draws, which the page's policy forbids: it draws outside the page, without it.
const apart = document.implementation.createHTMLDocument();

/** Columns of counts, one a label, each as wide as the others; a whole column answers to the pointer. */
export function drawColumns(of: Column[], look: Look): SVGSVGElement {
  const at = of.map((_, place) => place);
  const highest = Math.max(1, ...of.map((column) => column.count));
  const shown = Math.ceil(of.length / Math.max(4, look.width / 42));
  return drawn({
    ...frame(look),
    x: { type: "band", domain: at, paddingInner: 0.08, label: look.title, labelAnchor: "center", labelArrow: "none", ticks: at.filter((place) => place % shown === 0), tickFormat: (place: number) => of[place]!.label, tickSize: 0 },
    y: { domain: [0, highest], nice: true, grid: true, ticks: counts(highest), tickFormat: whole, tickSize: 0, label: look.counted, labelArrow: "none" },
    marks: [
      Plot.barY(of, { x: at, y: "count", className: "columns" } as Plot.BarYOptions),
      Plot.barY(of, { x: at, y1: 0, y2: () => highest, className: "reach", ariaLabel: "said", href: (column: Column) => (column.count ? column.href : null) } as Plot.BarYOptions),
    ],
  });
}

/** A histogram; with `log` both of its axes are logarithmic, and `mark` points out a value. */
export function drawHistogram(of: Bin[], look: Look, { log = false, mark }: Axis): SVGSVGElement {
  const [first, last] = [of[0]!.from, of.at(-1)!.to];
  const highest = Math.max(log ? 2 : 1, ...of.map((bin) => bin.count));
  const lowest = log ? 0.7 : 0; // a count of one is a column
  const ticks = log ? [0.01, 0.03, 0.1, 0.2, 0.5, 1].filter((tick) => tick >= first) : of.map((bin) => bin.from).concat(last).filter((_, at) => at % Math.ceil((of.length + 1) / Math.max(4, look.width / 34)) === 0);
  return drawn({
    ...frame(look),
    x: { type: log ? "log" : "linear", domain: [first, last], label: look.title, labelAnchor: "center", labelArrow: "none", ticks, tickFormat: (tick: number) => String(Number(tick.toPrecision(3))), tickSize: 3 },
    y: { type: log ? "log" : "linear", domain: [lowest, highest], nice: !log, grid: true, ticks: log ? powers(highest) : counts(highest), tickFormat: whole, tickSize: 0, label: look.counted, labelArrow: "none" },
    marks: [
      Plot.rectY(of.filter((bin) => bin.count), { x1: "from", x2: "to", y1: lowest, y2: "count", inset: log ? 0.5 : 1, insetBottom: 0, className: of.some((bin) => bin.firm !== undefined) ? "columns pale" : "columns" } as Plot.RectYOptions),
      Plot.rectY(of.filter((bin) => bin.firm), { x1: "from", x2: "to", y1: lowest, y2: "firm", inset: log ? 0.5 : 1, insetBottom: 0, className: "columns" } as Plot.RectYOptions),
      mark && Plot.ruleX([mark.at], { className: "mark", strokeDasharray: "4 3" }),
      mark && Plot.text([mark], { x: "at", y: () => highest, text: "said", textAnchor: "start", dx: 5, dy: -7, className: "mark-said" } as Plot.TextOptions),
      Plot.rectY(of, { x1: "from", x2: "to", y1: lowest, y2: () => highest, className: "reach", ariaLabel: "said", href: (bin: Bin) => (bin.count ? bin.href : null) } as Plot.RectYOptions),
    ],
  });
}

/** Lines of values from 0 to 1 along whole numbers; shapes as well as colours tell them apart. */
export function drawLines(of: Series[], look: Look, href: (at: number) => string | null): SVGSVGElement {
  const looks = of.map((series, place) => series.look ?? place);
  const every = of.flatMap((series, place) => series.values.map(([at, value]) => ({ series, place, at, value })));
  const [first, last] = [Math.min(...every.map(({ at }) => at)), Math.max(...every.map(({ at }) => at))];
  const step = Math.ceil((last - first + 1) / Math.max(4, look.width / 36));
  return drawn({
    ...frame(look),
    x: { domain: [first, last === first ? last + 1 : last], label: look.title, labelAnchor: "center", labelArrow: "none", inset: 10, tickFormat: String, tickSize: 3,
      ticks: Array.from({ length: last - first + 1 }, (_, place) => first + place).filter((at) => (at - first) % step === 0) },
    y: { domain: [0, Math.max(1, ...every.map(({ value }) => value))], grid: true, ticks: 4, tickSize: 0, label: null },
    symbol: { domain: looks, range: looks.map((look) => MARKS[look]!) },
    marks: [
      of.map((_, place) => Plot.line(every.filter((each) => each.place === place), { x: "at", y: "value", className: `series s${looks[place]} line` } as Plot.LineOptions)),
      of.map((_, place) => Plot.dot(every.filter((each) => each.place === place), { x: "at", y: "value", symbol: () => looks[place]!, r: 4, className: `series s${looks[place]} dots` } as Plot.DotOptions)),
      Plot.dot(every, { x: "at", y: "value", r: 12, className: "reach", ariaLabel: ({ series, at, value }: (typeof every)[number]) => `${series.name}, ${look.title} ${at}: ${value.toFixed(3)}`,
        href: ({ at }: (typeof every)[number]) => href(at) } as Plot.DotOptions),
    ],
  });
}

const frame = ({ width }: Look) => ({ ...EDGES, width, height: HEIGHT, document: apart, className: "plot" });

const whole = (count: number) => count.toLocaleString("en-GB");

/** Ticks of counts: whole numbers, four or so. */
function counts(highest: number): number[] {
  const step = [1, 2, 5, 10].map((each) => each * 10 ** Math.floor(Math.log10(highest / 4 || 1))).find((each) => each >= 1 && highest / each <= 5) ?? 1;
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, place) => place * step);
}

const powers = (highest: number) => Array.from({ length: Math.floor(Math.log10(highest)) + 1 }, (_, power) => 10 ** power);

const XLINK = "http://www.w3.org/1999/xlink";

/** What Plot drew, each part that answers a link or an image with its text as a tip. */
function drawn(options: Plot.PlotOptions): SVGSVGElement {
  const svg = document.importNode(Plot.plot(options) as unknown as SVGSVGElement, true);
  for (const style of svg.querySelectorAll("style")) style.remove();
  svg.setAttribute("class", "chart");
  for (const group of svg.querySelectorAll("g[aria-label], g[aria-description]")) {
    group.removeAttribute("aria-label");
    group.removeAttribute("aria-description");
  }
  for (const part of svg.querySelectorAll(".reach [aria-label]")) {
    const said = part.getAttribute("aria-label")!;
    const link = part.parentElement?.localName === "a" ? part.parentElement : null;
    const answers = link ?? part;
    if (link) {
      const href = link.getAttributeNS(XLINK, "href")!;
      link.removeAttributeNS(XLINK, "href");
      link.setAttribute("href", href);
      part.removeAttribute("aria-label");
    } else part.setAttribute("role", "img");
    answers.setAttribute("aria-label", said);
    answers.setAttribute("data-tip", said);
  }
  return svg;
}
