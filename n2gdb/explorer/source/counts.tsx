// Counts as bars, one a group; each leads to what it counts.

import { answerAt } from "./address";
import { grouped, literal } from "./format";
import { Bar, Chip } from "./parts";
import type { Row } from "./types";

/** The query for what one group counts: null where the language has none. */
export function groupQuery(q: string, group: string | number): string | null {
  const found = /^\s*COUNT\s+(.*?)\s+BY\s+(\w+)\s*$/is.exec(q);
  if (!found) return null;
  const [, counted, by] = found as unknown as [string, string, string];
  const condition = { layer: `layer = ${group}`, state: `state = '${group}'` }[by.toLowerCase()];
  if (condition) {
    return /\bWHERE\b/i.test(counted) ? counted.replace(/\bWHERE\b([\s\S]*)$/i, (_, given: string) => `WHERE (${given.trim()}) AND ${condition}`) : `${counted} WHERE ${condition}`;
  }
  if (by.toLowerCase() === "model") return counted.replace(/^(\w+)/, `$1 IN MODEL ${literal(String(group))}`);
  const clause = by.toLowerCase() === "activating" ? `MATCHING ${literal(String(group))}` : `MENTIONING ${literal(String(group))}`;
  const [, subject, rest] = /^(\w+)\s*([\s\S]*)$/.exec(counted)!;
  const [clauses, where] = rest!.split(/\bWHERE\b/i) as [string, string | undefined];
  return `${subject} ${clauses!.trim() ? `(${clauses!.trim()}) AND ` : ""}${clause}${where ? ` WHERE${where}` : ""}`;
}

/** Show the groups of a COUNT; one without a group is a single number. */
export function Counts({ rows, q, model }: { rows: Row[]; q: string; model: string | null }) {
  if (rows.length === 1 && rows[0]!.group === null) {
    return <p class="single"><a href={answerAt(q.replace(/^\s*COUNT\s+/i, ""), model)}>{grouped(rows[0]!.count)}</a></p>;
  }
  const most = Math.max(...rows.map((row) => row.count ?? 0), 1);
  const title = /\bBY\s+(\w+)/i.exec(q)?.[1]?.toLowerCase() ?? "group";
  return <table class="counts"><caption class="unseen">Counts of {q}</caption>
    <thead><tr><th scope="col">{title}</th><th scope="col" class="number">count</th><th scope="col"><span class="unseen">bar</span></th></tr></thead>
    <tbody>{rows.map((row) => {
      const query = groupQuery(q, row.group ?? "");
      const href = query === null ? undefined : answerAt(query, model);
      const shown = row.shown ?? String(row.group);
      return <tr key={shown}><th scope="row">{title === "activating" || title === "context" ? <Chip shown={shown} kind={title === "context" ? "context" : "fires"} href={href} tip={query ?? undefined} />
        : <a href={href} data-tip={query ?? undefined}>{shown}</a>}</th>
      <td class="number">{grouped(row.count)}</td><td class="wide"><Bar share={(row.count ?? 0) / most} /></td></tr>;
    })}</tbody></table>;
}
