// Makes the table of all results sortable and filterable. What is chosen stands in the address, so it can be shared.
"use strict";

function explore(root) {
  const table = root.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const place = new Map(heads.map((head, k) => [head.textContent, k]));
  const textOf = (row, k) => row.cells[k].textContent;

  const count = document.createElement("p");
  count.className = "explore-count";
  count.setAttribute("role", "status");
  const filters = document.createElement("form");
  filters.className = "explore-filters";
  filters.setAttribute("aria-label", "Filters");
  filters.addEventListener("submit", (event) => event.preventDefault());
  root.prepend(filters, count);

  const choices = root.dataset.filters.split(",").map((name) => {
    const select = document.createElement("select");
    const values = new Set(rows.map((row) => textOf(row, place.get(name))));
    select.add(new Option("all", ""));
    Array.from(values).sort().forEach((value) => select.add(new Option(value, value)));
    return labelled(name, select);
  });
  const word = labelled("contains", document.createElement("input"));
  word.type = "search";
  let order = "";
  let down = false;

  function read() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    const known = ["contains", "sort", "down", ...choices.map((select) => select.name)];
    if (location.hash && !known.some((name) => chosen.has(name))) return; // leads to a place on the page
    choices.forEach((select) => {
      const there = Array.from(select.options).some((option) => option.value === chosen.get(select.name));
      select.value = there ? chosen.get(select.name) : "";
    });
    word.value = chosen.get("contains") || "";
    order = place.has(chosen.get("sort")) ? chosen.get("sort") : "";
    down = chosen.get("down") === "1";
    show();
  }

  function labelled(name, control) {
    const label = document.createElement("label");
    label.append(name, control);
    control.name = name;
    control.addEventListener(control.tagName === "SELECT" ? "change" : "input", show);
    filters.append(label);
    return control;
  }

  heads.forEach((head) => {
    const name = head.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      // numbers start with the highest, words with the first
      down = order === name ? !down : head.dataset.kind === "number";
      order = name;
      show();
    });
    head.replaceChildren(button);
  });

  function compare(k, numeric) {
    return (one, other) => {
      const [a, b] = [one, other].map((row) => (numeric ? row.cells[k].dataset.value : textOf(row, k)));
      if (numeric && (a === undefined || b === undefined)) return (a === undefined) - (b === undefined); // gaps last
      const found = numeric ? a - b : a.localeCompare(b);
      return down ? -found : found;
    };
  }

  function show(asked = true) {
    const wanted = word.value.trim().toLowerCase();
    const kept = (row) =>
      choices.every((c) => !c.value || textOf(row, place.get(c.name)) === c.value) &&
      (!wanted || row.textContent.toLowerCase().includes(wanted));
    const k = place.get(order);
    const sorted = order ? rows.slice().sort(compare(k, heads[k].dataset.kind === "number")) : rows;
    const left = sorted.filter(kept);
    body.replaceChildren(...left);
    heads.forEach((head, i) => {
      if (i === k) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    count.textContent = `${left.length} of ${rows.length} results`;
    const state = new URLSearchParams();
    [...choices, word].filter((c) => c.value).forEach((c) => state.set(c.name, c.value));
    if (order) state.set("sort", order);
    if (order && down) state.set("down", "1");
    if (asked) history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  }

  window.addEventListener("hashchange", read);
  show(false);
  read();
}

document.querySelectorAll(".explore").forEach(explore);
