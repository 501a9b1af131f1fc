// Makes the table of all results sortable and filterable. What is chosen stands in the address, so it can be shared.
// One table of the leaderboard is shown at first: rows of two may not be compared, so where several are shown each
// stands under its own name, and sorting never mixes them.
"use strict";

const MOST = 50; // rows that are drawn at once: a browser lays out thousands slower than one types

function explore(root) {
  const table = root.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const place = new Map(heads.map((head, k) => [head.textContent, k]));
  const texts = rows.map((row) => Array.from(row.cells, (cell) => cell.textContent));
  const searched = texts.map((own) => own.join(" ").toLowerCase()); // read once: a keystroke asks it of every row
  const named = root.dataset.table.split(","); // by these a row's table is told
  const tables = new Map();
  const tableOf = texts.map((own) => {
    const name = named.map((column) => own[place.get(column)]).join(" · ");
    if (!tables.has(name)) tables.set(name, tables.size);
    return name;
  });

  const held = rows.map((row) => row.classList.contains("yardstick"));

  const count = document.createElement("p");
  count.className = "explore-count";
  count.setAttribute("role", "status");
  const filters = document.createElement("form");
  filters.className = "explore-filters";
  filters.setAttribute("aria-label", "Filters");
  filters.addEventListener("submit", (event) => event.preventDefault());
  const share = document.createElement("button");
  share.type = "button";
  share.className = "explore-share";
  share.textContent = "Copy a link to this view";
  share.addEventListener("click", async () => {
    show(); // the address tells of the first view, too
    try {
      await navigator.clipboard.writeText(location.href);
      share.textContent = "Link copied";
    } catch {
      window.prompt("The address of this view", location.href); // from disk, or where nobody allowed it
    }
  });
  root.prepend(filters, count, share);
  const rest = document.createElement("button");
  rest.type = "button";
  rest.className = "explore-rest";
  rest.addEventListener("click", () => { most = Infinity; show(); });
  const alike = document.createElement("style"); // hides columns of one value: what a filter says
  root.append(rest, alike);

  const choices = root.dataset.filters.split(",").map((name) => {
    const select = document.createElement("select");
    const values = new Set(texts.map((own) => own[place.get(name)]));
    select.add(new Option("all", ""));
    Array.from(values).sort().forEach((value) => select.add(new Option(value, value)));
    return labelled(name, select);
  });
  const word = labelled("contains", document.createElement("input"));
  word.type = "search";
  let order = "";
  let down = false;
  let sorted = rows.map((_, n) => n);
  let sortedBy = "";
  let shown = null;
  let most = MOST;

  function read() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    const known = ["all", "contains", "sort", "down", "rows", ...choices.map((select) => select.name)];
    if (location.hash && !known.some((name) => chosen.has(name))) return show(false); // leads to a place on the page
    choices.forEach((select) => {
      const there = Array.from(select.options).some((option) => option.value === chosen.get(select.name));
      select.value = there ? chosen.get(select.name) : "";
    });
    word.value = chosen.get("contains") || "";
    order = place.has(chosen.get("sort")) ? chosen.get("sort") : "";
    down = chosen.get("down") === "1";
    most = chosen.get("rows") === "all" ? Infinity : MOST;
    if (!location.hash && rows.length) {
      toTable(0);
      [order, down] = ["score", true];
    }
    show(Boolean(location.hash));
  }

  // the table of this row, whose other filters stay
  function toTable(n, but = "") {
    choices.filter((c) => named.includes(c.name) && c.name !== but).forEach((c) => { c.value = texts[n][place.get(c.name)]; });
  }

  function labelled(name, control) {
    const label = document.createElement("label");
    label.append(name, control);
    control.name = name;
    control.addEventListener(control.tagName === "SELECT" ? "change" : "input", () => {
      const fits = (n, some) => some.every((c) => !c.value || texts[n][place.get(c.name)] === c.value);
      const own = choices.filter((c) => named.includes(c.name));
      if (own.includes(control) && !rows.some((_, n) => fits(n, own))) {
        toTable(rows.findIndex((_, n) => fits(n, [control])), name); // another model has other tables
      }
      most = MOST;
      show();
    });
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

  function sort() {
    if (sortedBy === `${order} ${down}`) return;
    sortedBy = `${order} ${down}`;
    const k = place.get(order);
    const numeric = order && heads[k].dataset.kind === "number";
    const values = rows.map((row, n) => (order ? (numeric ? row.cells[k].dataset.value : texts[n][k]) : 0));
    const compare = (one, other) => {
      const [a, b] = [values[one], values[other]];
      if (numeric && (a === undefined || b === undefined)) return (a === undefined) - (b === undefined); // gaps last
      const found = numeric ? a - b : a.localeCompare(b);
      return down ? -found : found;
    };
    // what merges are held against stays together, on top of its table
    const apart = (one, other) => tables.get(tableOf[one]) - tables.get(tableOf[other]) || held[other] - held[one];
    sorted = rows.map((_, n) => n).sort((a, b) => apart(a, b) || (order ? compare(a, b) : 0) || a - b);
  }

  function headed(name) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.colSpan = heads.length;
    head.scope = "rowgroup";
    head.textContent = name;
    row.className = "explore-name";
    row.append(head);
    return row;
  }

  function show(asked = true) {
    const wanted = word.value.trim().toLowerCase();
    const active = choices.filter((c) => c.value).map((c) => [place.get(c.name), c.value]);
    sort();
    const left = sorted.filter(
      (n) => active.every(([k, value]) => texts[n][k] === value) && (!wanted || searched[n].includes(wanted))
    );
    const drawn = left.slice(0, most);
    const several = left.some((n) => tableOf[n] !== tableOf[left[0]]);
    const now = `${several} ${drawn}`;
    if (now !== shown) {
      shown = now; // what stays is not laid out again
      body.replaceChildren(
        ...drawn.flatMap((n, i) =>
          several && (!i || tableOf[n] !== tableOf[drawn[i - 1]]) ? [headed(tableOf[n]), rows[n]] : [rows[n]]
        )
      );
    }
    heads.forEach((head, i) => {
      if (order && i === place.get(order)) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const one = active.filter(([k]) => named.includes(heads[k].textContent)).map(([k]) => `.explore-rows tr > :nth-child(${k + 1})`);
    const rule = one.length ? `${one.join(", ")} { display: none; }` : "";
    if (alike.textContent !== rule) alike.textContent = rule;
    count.textContent = `${left.length} of ${rows.length} results`;
    share.textContent = "Copy a link to this view";
    rest.hidden = drawn.length === left.length;
    rest.textContent = `Show all ${left.length}`;
    const state = new URLSearchParams();
    [...choices, word].filter((c) => c.value).forEach((c) => state.set(c.name, c.value));
    if (order) state.set("sort", order);
    if (order && down) state.set("down", "1");
    if (most > MOST && left.length > MOST) state.set("rows", "all");
    if (!state.size) state.set("all", "1"); // an address without a word is one table
    if (asked) history.replaceState(null, "", `#${state}`);
  }

  window.addEventListener("hashchange", read);
  read();
}

document.querySelectorAll(".explore").forEach(explore);
