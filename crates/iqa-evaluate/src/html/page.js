"use strict";
// A column is sorted by a click on its name, or by the keyboard: numbers by value, text as people order it; what is missing
// comes last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator(undefined, { numeric: true });
  const key = (row, column, numeric) => {
    const cell = row.cells[column];
    return numeric ? ("v" in cell.dataset ? Number(cell.dataset.v) : null) : cell.textContent;
  };
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const numeric = head.dataset.sort === "number";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const sign = falling ? -1 : 1;
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [key(row, column, numeric), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (numeric ? (a < b ? -1 : a > b ? 1 : 0) : order.compare(a, b));
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
