// Tables that sort: a button in each header that may be sorted by; rows stay within their group, and what is missing comes last.
"use strict";
(() => {
  function number(text) {
    const value = Number.parseFloat(text.replaceAll(",", "").replace("−", "-"));
    return Number.isNaN(value) ? null : value;
  }

  function compared(one, other, isText) {
    if (isText) return one.localeCompare(other);
    const left = number(one), right = number(other);
    if (left === null || right === null) return null;
    return left - right;
  }

  function sort(table, index, isText, sign) {
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      const keyed = rows.map((row) => ({ row, text: row.cells[index].textContent.trim() }));
      keyed.sort((one, other) => {
        const order = compared(one.text, other.text, isText);
        return order === null ? (number(one.text) === null) - (number(other.text) === null) : sign * order;
      });
      body.append(...keyed.map((each) => each.row));
    }
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const headers = [...table.tHead.rows[0].cells];
    const first = headers.findIndex((header) => header.hasAttribute("aria-sort"));
    if (first >= 0) table.dataset.sorted = first;
    headers.forEach((header, index) => {
      if (!("sort" in header.dataset)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const isDown = header.dataset.sort === "down";
        const now = header.getAttribute("aria-sort");
        const next = now === null ? (isDown ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", next);
        table.dataset.sorted = next === "ascending" ? index : `-${index}`;
        sort(table, index, header.dataset.sort === "text", next === "ascending" ? 1 : -1);
      });
    });
  }
})();
