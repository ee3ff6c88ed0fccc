/* The pages' own script beside htmx and <live-region>: highlights, form handling, ordering. */
const on = (type, listener, capture) => document.addEventListener(type, listener, capture);

// Live. htmx must process inserted elements; changed rows are highlighted for two seconds.
on("live:inserted", ({ target }) => htmx.process(target));
on("live:applied", ({ detail }) => {
  const { entered = [], updated = [] } = detail.changes?.["demo_todo.task"] ?? {};
  const rows = [...entered, ...updated].map((pk) => document.getElementById(`task-${pk}`));
  const highlight = (on) => rows.forEach((row) => row?.classList.toggle("changed", on));
  highlight(true);
  setTimeout(highlight, 2000, false);
  document.title = `${document.querySelector("h1").textContent} · Todo`;
});

// Edits.
on("htmx:configRequest", ({ target, detail }) => {
  // HTML does not post an unticked checkbox.
  if (target.type === "checkbox") detail.parameters[target.name] = target.checked;
});
on("htmx:beforeRequest", ({ detail }) => {
  if (detail.target.matches(".error")) detail.target.replaceChildren();
});
on("htmx:afterRequest", ({ target, detail }) => {
  if (!target.matches("form") || !detail.successful) return;
  // Clear the input, unless the user has typed into it meanwhile.
  const box = target.querySelector("input");
  if (box.value === detail.requestConfig.parameters[box.name]) box.value = "";
});
on("keydown", ({ target, key, isComposing }) => {
  if (!target.matches("[data-edit]") || isComposing) return;
  if (key === "Escape") target.value = target.defaultValue;
  if (key === "Escape" || key === "Enter") target.blur();
});
const showNotSaved = () => document.getElementById("not-saved").removeAttribute("hidden");
for (const type of ["htmx:responseError", "htmx:sendError"]) on(type, showNotSaved);
// Another user has deleted the row: do not show Django's debug page in its place.
on("htmx:beforeOnLoad", (event) => event.detail.xhr.status < 500 && event.stopPropagation(), true);

// Ordering, by pointer or arrow key. The moved row keeps its place in the document, and so its
// focus and pointer capture; the neighbour moves to its other side.
const beside = (row, side) => row?.[side]?.closest(".task"); // not the divider of the done tasks
const swap = (row, other) => row[other === row.nextElementSibling ? "before" : "after"](other);
const save = (row) => {
  const handle = row.querySelector(".handle");
  const after = row.previousElementSibling?.dataset.pk ?? "";
  htmx.ajax("POST", handle.dataset.url, { source: handle, values: { after } });
};
on("keydown", (event) => {
  const side = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
  if (!side || !event.target.matches(".handle")) return;
  event.preventDefault();
  const row = event.target.closest(".task");
  if (!beside(row, side)) return;
  swap(row, row[side]);
  save(row);
});

let dragged = null;
let above = null;
on("pointerdown", ({ target, button, pointerId }) => {
  const handle = target.closest(".handle");
  if (!handle || button !== 0) return;
  handle.setPointerCapture(pointerId);
  handle.focus(); // some browsers do not; a live update does not move a row with the focus
  dragged = handle.closest(".task");
  above = dragged.previousElementSibling;
});
const middle = (row) => row.getBoundingClientRect().top + row.offsetHeight / 2;
on("pointermove", ({ clientY }) => {
  dragged?.classList.add("dragged");
  const next = beside(dragged, "nextElementSibling");
  const previous = beside(dragged, "previousElementSibling");
  if (next && clientY > middle(next)) swap(dragged, next);
  if (previous && clientY < middle(previous)) swap(dragged, previous);
  dragged?.scrollIntoView({ block: "nearest" });
});
const drop = () => {
  dragged?.classList.remove("dragged");
  if (dragged && dragged.previousElementSibling !== above) save(dragged);
  dragged = null;
};
for (const type of ["pointerup", "pointercancel"]) on(type, drop);
