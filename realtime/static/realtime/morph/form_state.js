/**
 * Form controls hold two truths: what the markup says, and what the user did. Morphing brings the
 * first up to date; the second follows here, except where the user is at work.
 *
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control
 *
 * @typedef {object} Focus what the user is doing in the focused control
 * @property {Control} control
 * @property {boolean} isEdited true if it shows anything else than its markup: unsaved work
 * @property {string[]} values
 * @property {{start: number, end: number | null} | null} caret
 */

/** Inputs that are clicked, not filled in. */
const CLICKED = ["checkbox", "radio", "button", "submit", "reset", "image"];

/**
 * Note what the user is doing, before the markup changes.
 *
 * To have the focus alone is not to be edited: it stays where one last clicked, and a control that
 * kept its value for that would show for hours what is no longer so.
 *
 * @param {Element} root
 * @returns {Focus | null}
 */
export function noteFocus(root) {
  const control = document.activeElement;
  if (!isControl(control) || !root.contains(control) || CLICKED.includes(control.type)) return null;
  // A half-typed date has no value yet, but is bad input.
  const isEdited = !showsItsMarkup(control) || control.validity.badInput;
  return { control, isEdited, values: valuesOf(control), caret: caretOf(control) };
}

/**
 * Let all controls within show what their markup says now; but leave alone what is kept, and give
 * the user back what they were doing.
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

/** Controls whose edit was left alone, and that the user has not left yet. */
const awaited = new WeakSet();

/**
 * An edit that is taken back is no change to the browser: nothing is saved, so nothing comes back,
 * and the control would go on showing what was so before the edit.
 * @param {Control} control
 */
function syncWhenLeft(control) {
  if (awaited.has(control)) return;
  awaited.add(control);
  let isSaved = false;
  const save = () => { isSaved = true; };
  control.addEventListener("change", save, { once: true });
  control.addEventListener("blur", () => {
    awaited.delete(control);
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
 * The options that the markup chooses. A drop-down has room for one, and always shows one: the
 * first, if the markup names none.
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
  // By value: an option that is new in the menu shifts the others to other nodes.
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
  // A file's choice is the user's alone: a page can neither set nor know it.
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
  // Its type may have become one without a caret.
  if (control instanceof HTMLSelectElement || !caret || !present) return;
  if (present.start !== caret.start || present.end !== caret.end) {
    control.setSelectionRange(caret.start, caret.end);
  }
}
