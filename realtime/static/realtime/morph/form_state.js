/**
 * A form control has a value in its markup and a state that the user sees and changes. Morphing
 * updates the markup. This module updates the state, except where the user is editing.
 *
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control
 *
 * @typedef {object} Focus the focused control and the user's edit in it
 * @property {Control} control
 * @property {boolean} isEdited true if it does not show its markup's value: unsaved work
 * @property {string[]} values
 * @property {{start: number, end: number | null} | null} caret
 */

/** Inputs that are clicked, not filled in. */
const CLICKED = ["checkbox", "radio", "button", "submit", "reset", "image"];

/**
 * Record the focused control and its edit, before the markup changes.
 *
 * A focused control is not necessarily edited: focus stays where the user clicked last. A control
 * that kept its value because of its focus could show an old value for hours.
 *
 * @param {Element} root
 * @returns {Focus | null}
 */
export function noteFocus(root) {
  const control = document.activeElement;
  if (!isControl(control) || !root.contains(control) || CLICKED.includes(control.type)) return null;
  // A half-typed date has no value yet; the browser calls it bad input.
  const isEdited = !showsItsMarkup(control) || control.validity.badInput;
  return { control, isEdited, values: valuesOf(control), caret: caretOf(control) };
}

/**
 * Let all controls within an element show their markup's values. Controls in `data-live-keep`
 * stay as they are; the edited one gets the user's values and caret back.
 * @param {Element} root
 * @param {Focus | null} focus
 */
export function syncControls(root, focus) {
  /** @type {NodeListOf<Control>} */
  const controls = root.querySelectorAll("input, textarea, select");
  for (const control of controls) {
    if (control.closest("[data-live-keep]")) continue;
    const edited = focus?.isEdited && control === focus.control ? focus.values : null;
    sync(control, edited);
    if (edited) syncWhenLeft(control);
  }
  if (focus) restoreCaret(focus);
}

/**
 * @param {Control} control
 * @param {string[] | null} edited the values that the user chose
 */
function sync(control, edited) {
  if (control instanceof HTMLSelectElement) syncSelect(control, edited);
  else if (CLICKED.includes(control.type)) syncChecked(/** @type {any} */ (control));
  else syncValue(control, edited?.[0] ?? control.defaultValue);
}

/** Controls whose edit was kept, and that still have the focus. */
const editedControls = new WeakSet();

/**
 * Sync the control when it loses the focus unsaved. An edit that the user reverts fires no `change`
 * event: the page saves nothing, receives nothing, and the control would keep the old value.
 * @param {Control} control
 */
function syncWhenLeft(control) {
  if (editedControls.has(control)) return;
  editedControls.add(control);
  let isSaved = false;
  const save = () => { isSaved = true; };
  control.addEventListener("change", save, { once: true });
  control.addEventListener("blur", () => {
    editedControls.delete(control);
    control.removeEventListener("change", save);
    if (!isSaved) sync(control, null);
  }, { once: true });
}

/**
 * @param {Element | null} element
 * @returns {element is Control}
 */
function isControl(element) {
  return element !== null && element.matches("input, textarea, select");
}

/** @param {Control} control */
function showsItsMarkup(control) {
  if (!(control instanceof HTMLSelectElement)) return control.value === control.defaultValue;
  const marked = markedOptions(control);
  return [...control.options].every((option) => option.selected === marked.includes(option));
}

/** @param {Control} control */
function valuesOf(control) {
  if (!(control instanceof HTMLSelectElement)) return [control.value];
  return [...control.selectedOptions].map(({ value }) => value);
}

/**
 * Return the options that the markup selects. A drop-down always shows one option: the first, if
 * the markup selects none.
 * @param {HTMLSelectElement} select
 */
function markedOptions(select) {
  const options = [...select.options];
  const marked = options.filter(({ defaultSelected }) => defaultSelected);
  if (select.multiple) return marked;
  if (marked.length || select.size > 1) return marked.slice(-1);
  return options.filter(({ disabled }) => !disabled).slice(0, 1);
}

/**
 * @param {HTMLSelectElement} select
 * @param {string[] | null} edited the values that the user chose
 */
function syncSelect(select, edited) {
  // By value: a new option in the menu shifts the others to other nodes.
  const chosen = edited && [...select.options].filter(({ value }) => edited.includes(value));
  const wanted = chosen?.length ? chosen : markedOptions(select);
  for (const option of select.options) {
    if (option.selected !== wanted.includes(option)) option.selected = wanted.includes(option);
  }
}

/** @param {HTMLInputElement} input */
function syncChecked(input) {
  if (input.checked !== input.defaultChecked) input.checked = input.defaultChecked;
}

/**
 * @param {HTMLInputElement | HTMLTextAreaElement} control
 * @param {string} value
 */
function syncValue(control, value) {
  // Only the user can choose a file: scripts can neither set nor read it.
  if (control.type !== "file" && control.value !== value) control.value = value;
}

/** @param {Control} control */
function caretOf(control) {
  if (control instanceof HTMLSelectElement || control.selectionStart === null) return null;
  return { start: control.selectionStart, end: control.selectionEnd };
}

/** @param {Focus} focus */
function restoreCaret({ control, caret }) {
  const present = caretOf(control);
  // The markup may have given it a type without a caret.
  if (control instanceof HTMLSelectElement || !caret || !present) return;
  if (present.start !== caret.start || present.end !== caret.end) {
    control.setSelectionRange(caret.start, caret.end);
  }
}
