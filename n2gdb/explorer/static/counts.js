// Counts as bars, one a group.

import { make } from "/static/dom.js";
import { grouped } from "/static/format.js";
import { bar, token } from "/static/token.js";

/** Show the rows { group, shown?, count } of a COUNT; one without a group is a single number. */
export function countBars(rows, query) {
  if (rows.length === 1 && rows[0].group === null) return make("p", { class: "single" }, grouped(rows[0].count));
  const most = Math.max(...rows.map((row) => row.count), 1);
  return make("table", { class: "counts" }, make("caption", { class: "unseen" }, `Counts of ${query}`),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, groupTitle(query)), make("th", { scope: "col", class: "number" }, "count"),
      make("th", { scope: "col" }, make("span", { class: "unseen" }, "bar")))),
    make("tbody", {}, rows.map((row) => make("tr", {},
      make("th", { scope: "row" }, typeof row.group === "string" ? token(row.shown ?? row.group) : String(row.group)),
      make("td", { class: "number" }, grouped(row.count)), make("td", { class: "wide" }, bar(row.count / most))))));
}

function groupTitle(query) {
  return /\bBY\s+(\w+)/i.exec(query)?.[1]?.toLowerCase() ?? "group";
}
