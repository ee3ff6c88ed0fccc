/* What the pages do beyond HTML, htmx and <live-region>: highlights, courtesies, and the order. */
const on = (type, listener, capture) => document.addEventListener(type, listener, capture);

// Live. What a region has just inserted is new to htmx; what has changed is shown for a moment.
on("live:inserted", ({ target }) => htmx.process(target));
on("live:applied", ({ detail }) => {
  const { entered = [], updated = [] } = detail.changes?.["demo_todo.task"] ?? {};
  const rows = [...entered, ...updated].map((pk) => document.getElementById(`task-${pk}`));
  const mark = (on) => rows.forEach((row) => row?.classList.toggle("changed", on));
  mark(true);
  setTimeout(mark, 2000, false);
  document.title = `${document.querySelector("h1").textContent} · Todo`;
});

// Edits.
on("htmx:configRequest", ({ target, detail }) => {
  // A box without a tick posts nothing by itself.
  if (target.type === "checkbox") detail.parameters[target.name] = target.checked;
});
on("htmx:beforeRequest", ({ detail }) => {
  if (detail.target.matches(".error")) detail.target.replaceChildren();
});
on("htmx:afterRequest", ({ target, detail }) => {
  if (!target.matches("form") || !detail.successful) return;
  // Clear the box, but not what was typed into it meanwhile.
  const box = target.querySelector("input");
  if (box.value === detail.requestConfig.parameters[box.name]) box.value = "";
});
on("keydown", ({ target, key, isComposing }) => {
  if (!target.matches("[data-edit]") || isComposing) return;
  if (key === "Escape") target.value = target.defaultValue;
  if (key === "Escape" || key === "Enter") target.blur();
});
const tellNotSaved = () => document.getElementById("not-saved").removeAttribute("hidden");
for (const type of ["htmx:responseError", "htmx:sendError"]) on(type, tellNotSaved);
// Somebody else was faster and the row is gone: no reason to show Django's debug page instead.
on("htmx:beforeOnLoad", (event) => event.detail.xhr.status < 500 && event.stopPropagation(), true);

// Order, by pointer or arrow key. A row stays put in the document, and so keeps focus and pointer:
// it is its neighbour that steps over to the other side.
const beside = (row, side) => row?.[side]?.closest(".task"); // and not the line above what is done
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
  handle.focus(); // not all browsers do; and news that comes meanwhile moves no row with the focus
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
