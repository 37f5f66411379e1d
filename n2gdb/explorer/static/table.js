// A table to sort and filter in place, and to walk through with the keyboard.

import { announce, fill, make } from "/static/dom.js";
import { counted } from "/static/format.js";

/**
 * `resort(column, falls)`, where it is set, may have other rows shown in an order, and tells whether it did.
 *
 * A table of columns { name, title, number, value(row), cell(row), text(row) }.
 * `value` is what a column sorts by, `text` what the filter looks in; a column without value does not sort.
 */
export class Table {
  constructor(columns, label) {
    this.columns = columns;
    this.rows = [];
    this.sorted = null;
    this.resort = null;
    this.wanted = "";
    this.body = make("tbody");
    this.head = make("tr", {}, columns.map((column) => this.heading(column)));
    this.element = make("div", { class: "scroll" },
      make("table", { class: "rows" }, make("caption", { class: "unseen" }, label), make("thead", {}, this.head), this.body));
  }

  add(rows) {
    this.rows.push(...rows);
    this.show();
  }

  /** Show other rows, which are `ordered` where they come in the order that the head shows. */
  replace(rows, ordered) {
    this.rows = [];
    this.asked = ordered;
    this.add(rows);
  }

  filter(text) {
    this.wanted = text.trim().toLocaleLowerCase();
    this.show();
    announce(`${counted(this.body.rows.length, "row")} of ${this.rows.length} shown`);
  }

  heading(column) {
    const attributes = { scope: "col", class: `${column.number ? "number" : ""} c-${column.name}`, "data-column": column.name };
    if (!column.value) return make("th", attributes, column.title);
    return make("th", attributes, make("button", { type: "button", onclick: () => this.sortBy(column) }, column.title));
  }

  async sortBy(column) {
    const falls = this.sorted?.column === column ? !this.sorted.falls : Boolean(column.number);
    this.sorted = { column, falls };
    for (const heading of this.head.cells) heading.removeAttribute("aria-sort");
    this.head.cells[this.columns.indexOf(column)].setAttribute("aria-sort", falls ? "descending" : "ascending");
    this.asked = false;
    if (this.resort && await this.resort(column, falls)) return;
    this.show();
  }

  show() {
    const kept = this.wanted ? this.rows.filter((row) => this.says(row)) : [...this.rows];
    if (this.sorted && !this.asked) kept.sort((first, second) => compared(this.sorted, first, second));
    fill(this.body, kept.map((row) => this.line(row)));
  }

  says(row) {
    return this.columns.some((column) => column.text?.(row).toLocaleLowerCase().includes(this.wanted));
  }

  // A row keeps its element while it is sorted and filtered: pictures load once.
  line(row) {
    this.lines ??= new Map();
    if (!this.lines.has(row)) {
      const cells = this.columns.map((column) =>
        make("td", { class: `${column.number ? "number" : ""} c-${column.name}`, "data-title": column.title }, column.cell(row)));
      this.lines.set(row, make("tr", {}, cells));
    }
    return this.lines.get(row);
  }

  /** Move the focus by rows: to the link of each. */
  move(by) {
    const links = [...this.body.querySelectorAll("tr")].map((row) => row.querySelector("a")).filter(Boolean);
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }
}

// What is not known comes last, whichever way the column is sorted.
function compared({ column, falls }, first, second) {
  const [one, other] = [column.value(first), column.value(second)];
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
  return falls ? -order : order;
}
