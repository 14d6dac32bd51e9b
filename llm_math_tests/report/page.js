"use strict";
(() => {
  const section = document.getElementById("all");
  const form = section.querySelector("form");
  const body = section.querySelector("tbody");
  const heads = [...section.querySelectorAll("thead th")];
  const rows = [...body.rows];
  const order = new Map(rows.map((row, place) => [row, place]));
  const key = (row, column) => {
    const cell = row.cells[column];
    if (!("key" in cell.dataset)) return cell.textContent;
    return cell.dataset.key === "" ? null : Number(cell.dataset.key);
  };
  const compare = (a, b) =>
    typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });

  const sortBy = (head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const sorted = rows.slice().sort((one, two) => {
      const a = key(one, column), b = key(two, column);
      // What was not measured comes last, whichever way the rest is sorted.
      if (a === null || b === null) {
        return (a === null) - (b === null) || order.get(one) - order.get(two);
      }
      return (up ? compare(a, b) : compare(b, a)) || order.get(one) - order.get(two);
    });
    body.append(...sorted);
  };

  const filter = () => {
    const wanted = [...form.querySelectorAll("select")].filter((select) => select.value);
    const text = form.elements.find.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = wanted.every((select) => row.dataset[select.name] === select.value)
        && (!text || row.textContent.toLowerCase().includes(text));
      row.hidden = !fits;
      shown += fits;
    }
    form.querySelector("output").value = `${shown} of ${rows.length} rows`;
  };

  heads.forEach((head, column) =>
    head.querySelector("button").addEventListener("click", () => sortBy(head, column)));
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();
})();
