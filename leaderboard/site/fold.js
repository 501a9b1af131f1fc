// A link into a folded part opens it; what is printed is open. Without this script browsers do the first by themselves,
// if they are not old.
"use strict";

function unfold() {
  const place = document.getElementById(location.hash.slice(1)); // headings and tables have names of plain letters
  let fold = place && place.closest("details:not([open])");
  if (!fold) return;
  for (; fold; fold = fold.parentElement.closest("details:not([open])")) fold.open = true;
  place.scrollIntoView();
}

window.addEventListener("hashchange", unfold);
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
unfold();
