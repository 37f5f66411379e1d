// Counts and statistics, one row a group; each leads to what it is of, and steps of a field are drawn as a histogram.

import { answerAt } from "./address";
import { Histogram, type Bin } from "./chart";
import { counted, figure, grouped } from "./format";
import { Bar, Chip } from "./parts";
import type { Answer, Row } from "./types";
import { titled } from "./words";

/** Show the groups of a COUNT, or of a statistic; one without a group is a single number. */
export function Counts({ answer, q, model }: { answer: Answer; q: string; model: string | null }) {
  const { rows, columns } = answer;
  const statistic = columns.find((column) => ["avg", "min", "max", "sum", "median"].includes(column)) ?? null;
  const groups = columns.filter((column) => column !== "count" && column !== statistic);
  const shown = statistic ?? "count";
  const value = (row: Row) => (typeof row[shown] === "number" ? (row[shown] as number) : null);
  const href = (row: Row) => (typeof row.query === "string" ? answerAt(row.query, model) : undefined);
  if (rows.length === 1 && rows[0]!.group === null) {
    const [only] = rows as [Row];
    return <p class="single"><a href={href(only)}>{statistic ? figure(value(only)) : grouped(only.count)}</a>{statistic ? <span class="of-how-many faint"> {statistic} over {grouped(only.count)}</span> : null}</p>;
  }
  const most = Math.max(...rows.map((row) => Math.abs(value(row) ?? 0)), 1e-9);
  const by = groups.length === 1 ? (/\bBY\s+(\w+)/i.exec(q)?.[1]?.toLowerCase() ?? "group") : null;
  const bins = groups.length === 1 && !statistic ? binsOf(rows, Number(/\/\s*([\d.]+)\s*$/.exec(q)?.[1]), by!, model) : null;
  return <>{bins ? <Histogram of={bins} title={titled(by!)} counted={/\b(?:patterns|latents|units)\b/i.exec(q)?.[0].toLowerCase() ?? "neurons"} /> : null}
    <table class="counts"><caption class="unseen">Counts of {q}</caption>
      <thead><tr>{groups.map((group) => <th key={group} scope="col">{titled(by ?? group)}</th>)}{statistic ? <th scope="col" class="number">{statistic}</th> : null}
        <th scope="col" class="number">count</th><th scope="col"><span class="unseen">bar</span></th></tr></thead>
      <tbody>{rows.map((row, at) => <tr key={at}>
        {groups.map((group, place) => { const Name = place === 0 ? "th" : "td"; return <Name key={group} scope={place === 0 ? "row" : undefined}><Group row={row} of={row[group]} by={by ?? group} href={place === 0 ? href(row) : undefined} /></Name>; })}
        {statistic ? <td class="number">{figure(value(row))}</td> : null}
        <td class="number">{grouped(row.count)}</td><td class="wide"><Bar share={Math.abs(value(row) ?? 0) / most} /></td></tr>)}</tbody></table></>;
}

function Group({ row, of, by, href }: { row: Row; of: unknown; by: string; href?: string }) {
  const tip = typeof row.query === "string" ? row.query : undefined;
  if (by === "activating" || by === "context") return <Chip shown={row.shown ?? String(of)} kind={by === "context" ? "context" : "fires"} href={href} tip={tip} />;
  const said = of === null ? "not known" : typeof of === "number" && !Number.isInteger(of) ? figure(of) : String(of);
  return href ? <a class="wide-link" href={href} data-tip={tip}>{said}</a> : <>{said}</>;
}

const MOST_BINS = 60;

/** The columns of a histogram, the empty ones between them included; null where the groups are no steps. */
function binsOf(rows: Row[], width: number, by: string, model: string | null): Bin[] | null {
  if (!(width > 0)) return null;
  const known = new Map(rows.filter((row) => typeof row.group === "number").map((row) => [Math.round((row.group as number) / width), row]));
  if (!known.size) return null;
  const [first, last] = [Math.min(...known.keys()), Math.max(...known.keys())];
  if (last - first + 1 > MOST_BINS) return null;
  return Array.from({ length: last - first + 1 }, (_, place) => {
    const row = known.get(first + place);
    const [from, to] = [Number(((first + place) * width).toPrecision(9)), Number(((first + place + 1) * width).toPrecision(9))];
    const count = row?.count ?? 0;
    return { from, to, count, said: `${titled(by)} ${figure(from)} to ${figure(to)}: ${counted(count, "row")}`, href: typeof row?.query === "string" ? answerAt(row.query, model) : null };
  });
}
