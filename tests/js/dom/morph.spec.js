import { morphContent } from "../../../realtime/static/realtime/morph/morph.js";
import { equal, ok } from "../support/assert.js";

/** Put markup into the page. */
function show(html) {
  document.body.innerHTML = `<main>${html}</main>`;
  return document.querySelector("main");
}

/** Morph it to other markup, parsed as the page would be. */
function morph(main, html) {
  const parsed = new DOMParser().parseFromString(`<main>${html}</main>`, "text/html");
  return morphContent(main, parsed.querySelector("main"));
}

const byId = (id) => document.getElementById(id);
const item = (id, text = id) => `<li id="${id}">${text}</li>`;

/** The element's children that are removed or inserted while `act` runs. */
function childrenMovedBy(element, act) {
  const observer = new MutationObserver(() => {});
  observer.observe(element, { childList: true });
  act();
  const moved = new Set(observer.takeRecords().flatMap(({ addedNodes }) => [...addedNodes]));
  return [...moved].map((node) => node.id);
}

export const tests = {
  async "text and attributes become those of the new markup"() {
    const main = show('<p class="old" title="x">old <b>bold</b></p><!-- a -->');
    const paragraph = main.firstChild;

    morph(main, '<p class="new" lang="en">new <b>bold</b></p><!-- b -->');

    equal(main.innerHTML, '<p class="new" lang="en">new <b>bold</b></p><!-- b -->');
    equal(main.firstChild === paragraph, true);
  },

  async "attribute names that only the parser allows are taken over"() {
    const main = show('<p @click="a" :class="b">x</p>');

    morph(main, '<p @click="c" @keyup.enter="d">x</p>');

    equal(main.innerHTML, '<p @click="c" @keyup.enter="d">x</p>');
  },

  async "nodes are kept by id when they are inserted, removed and reordered"() {
    const main = show(`<ul>${item("a")}${item("b")}${item("c")}</ul>`);
    const [a, b, c] = [byId("a"), byId("b"), byId("c")];

    morph(main, `<ul>${item("c", "C")}${item("d")}${item("a")}</ul>`);

    equal([...main.firstChild.children].map(({ id }) => id), ["c", "d", "a"]);
    ok(byId("a") === a && byId("c") === c && !b.isConnected);
    equal(c.textContent, "C");
  },

  async "an element of the same id and another tag is another element"() {
    const main = show('<p id="a">x</p>');

    const inserted = morph(main, '<div id="a">x</div>');

    equal(main.innerHTML, '<div id="a">x</div>');
    equal(inserted.map(({ tagName }) => tagName), ["DIV"]);
  },

  async "elements with the same id in a list are all kept"() {
    const main = show("<p id='a'>1</p><p id='a'>2</p>");

    morph(main, "<p id='a'>1</p><p id='a'>3</p>");

    equal(main.textContent, "13");
  },

  async "children in any order are put in any other order"() {
    let seed = 7;
    const random = (n) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    const some = () => {
      const ids = [..."abcdefgh"].filter(() => random(3));
      for (let i = ids.length - 1; i > 0; i--) {
        const j = random(i + 1);
        [ids[i], ids[j]] = [ids[j], ids[i]];
      }
      return ids.map((id) => `${item(id)}${random(2) ? " text " : ""}${random(4) ? "" : "<i></i>"}`);
    };
    const main = show("<ul></ul>");
    for (let round = 0; round < 300; round++) {
      const html = `<ul>${some().join("")}</ul>`;
      // The result must not depend on the place of the focus.
      const focusable = main.querySelectorAll("li");
      focusable.forEach((each) => (each.tabIndex = 0));
      if (random(2)) focusable[random(focusable.length || 1)]?.focus();
      morph(main, html);
      equal(main.innerHTML, html);
    }
  },

  async "a row that moves to the end is the only one moved"() {
    const main = show(`<ul>${["a", "b", "c", "d"].map((id) => item(id)).join("")}</ul>`);

    const moved = childrenMovedBy(main.firstChild, () =>
      morph(main, `<ul>${["b", "c", "d", "a"].map((id) => item(id)).join("")}</ul>`),
    );

    equal(moved, ["a"]);
  },

  async "the row with the focus is not moved, the others move around it"() {
    const row = (id) => `<li id="${id}"><button id="focus-${id}">x</button></li>`;
    const rows = (ids) => `<ul>${[...ids].map(row).join("")}</ul>`;
    const main = show(rows("abcd"));
    byId("focus-a").focus();

    const moved = childrenMovedBy(main.firstChild, () => morph(main, rows("bcda")));

    equal([...main.firstChild.children].map(({ id }) => id), ["b", "c", "d", "a"]);
    ok(!moved.includes("a"), `moved: ${moved}`);
    equal(document.activeElement.id, "focus-a");
  },

  async "a control with unsaved work keeps its value, its caret and its node"() {
    const main = show('<form><input name="title" value="old"><input name="other" value="old"></form>');
    const [title, other] = main.querySelectorAll("input");
    title.focus();
    title.value = "half ty";
    title.setSelectionRange(3, 3);
    other.value = "typed";

    morph(main, '<form class="x"><input name="title" value="new" class="y"><input name="other" value="new"></form>');

    equal([title.value, other.value], ["half ty", "new"]);
    equal([document.activeElement === title, title.selectionStart, title.className], [true, 3, "y"]);
  },

  async "an edited control survives markup that puts others before it"() {
    const main = show('<form><input name="title"></form>');
    const [title] = main.querySelectorAll("input");
    title.focus();
    title.value = "half ty";

    morph(main, '<form><p>error</p><input name="token" type="hidden" value="t"><input name="title"></form>');

    equal(document.activeElement === title, true);
    equal([...main.querySelectorAll("input")].map(({ value }) => value), ["t", "half ty"]);
  },

  async "unsaved work in a text area survives, while its markup is updated"() {
    const main = show('<textarea id="t">old</textarea>');
    byId("t").focus();
    byId("t").value = "half ty";

    morph(main, '<textarea id="t">new</textarea>');

    equal([byId("t").value, byId("t").defaultValue], ["half ty", "new"]);
  },

  async "an unsaved choice survives, also when the menu changes around it"() {
    const main = show('<select id="s"><option>a</option><option>b</option></select>');
    byId("s").focus();
    byId("s").value = "b";

    morph(main, '<select id="s"><option>new</option><option selected>a</option><option>b</option></select>');
    equal(byId("s").value, "b");
    morph(main, '<select id="s"><option>c</option></select>');

    equal(byId("s").value, "c");
  },

  async "a focused control without unsaved work shows the new value, and keeps its caret"() {
    const html = (title, choice) =>
      `<input id="i" value="${title}"><select id="s"><option>a</option>` +
      `<option${choice === "b" ? " selected" : ""}>b</option></select>`;
    const main = show(html("old title", "a"));
    byId("i").focus();
    byId("i").setSelectionRange(2, 3);
    morph(main, html("new title", "a"));
    equal([byId("i").value, byId("i").selectionStart, byId("i").selectionEnd], ["new title", 2, 3]);

    byId("s").focus();
    morph(main, html("new title", "b"));

    equal([byId("s").value, document.activeElement.id], ["b", "s"]);
  },

  async "a focused control may become one of another type"() {
    const main = show('<input id="i" value="1">');
    byId("i").focus();
    byId("i").setSelectionRange(1, 1);

    morph(main, '<input id="i" type="number" value="2">');

    equal([byId("i").type, byId("i").value], ["number", "2"]);
  },

  async "an edit that was saved is no longer unsaved work: later changes by others show"() {
    const html = (choice) =>
      `<select id="s"><option>a</option>` +
      `<option${choice === "b" ? " selected" : ""}>b</option></select>`;
    const main = show(html("a"));
    byId("s").focus();
    byId("s").value = "b";
    morph(main, html("b"));

    morph(main, html("a"));

    equal(byId("s").value, "a");
  },

  async "a half-typed date is unsaved work"() {
    const main = show('<input type="date" id="d">');
    byId("d").focus();
    // A date that is typed halfway: the control has no value, and bad input.
    Object.defineProperty(byId("d"), "validity", { value: { badInput: true } });

    morph(main, '<input type="date" id="d" value="2030-01-31">');

    equal(byId("d").getAttribute("value"), "2030-01-31");
    equal(byId("d").value, "");
  },

  async "a menu shows the option that its markup selects, also among equal values"() {
    const html = '<select id="s"><option value="">one</option><option value="" selected>two</option></select>';
    const main = show(html);
    byId("s").selectedIndex = 0;

    morph(main, html);

    equal(byId("s").selectedIndex, 1);
  },

  async "an edit that is reverted shows the new value when the control loses the focus"() {
    const main = show('<input id="a" value="old">');
    byId("a").focus();
    byId("a").value = "old, and more";
    morph(main, '<input id="a" value="new">');
    equal(byId("a").value, "old, and more");
    byId("a").value = "old";
    byId("a").blur();
    equal(byId("a").value, "new");
  },

  async "an edit that is saved stays until the markup has it"() {
    const main = show('<input id="a" value="old">');
    byId("a").focus();
    byId("a").value = "mine";
    morph(main, '<input id="a" value="new">');
    byId("a").dispatchEvent(new Event("change"));
    byId("a").blur();
    equal(byId("a").value, "mine");
  },

  async "an element that is edited by contenteditable keeps its content"() {
    const main = show('<div id="e" contenteditable>old</div>');
    byId("e").focus();
    byId("e").textContent = "half ty";

    morph(main, '<div id="e" contenteditable>new</div>');

    equal(byId("e").textContent, "half ty");
  },

  async "a checkbox shows the new markup's state, also when it has the focus"() {
    const main = show('<input type="checkbox" id="x"><input type="checkbox" id="y" checked>');
    byId("x").focus();
    byId("x").click();
    byId("y").click();

    morph(main, '<input type="checkbox" id="x"><input type="checkbox" id="y" checked>');

    equal([byId("x").checked, byId("y").checked], [false, true]);
    equal(document.activeElement.id, "x");
    equal(byId("x").hasAttribute("value"), false);
  },

  async "controls that the user changed show their markup's value, also where the markup is equal"() {
    const html =
      '<input id="i" value="v"><textarea id="t">t</textarea>' +
      '<select id="s"><option>a</option><option>b</option></select>' +
      '<select id="m" multiple><option selected>a</option><option>b</option></select>' +
      '<input type="radio" name="r" id="r1" checked><input type="radio" name="r" id="r2">';
    const main = show(html);
    byId("i").value = byId("t").value = "typed";
    byId("s").value = "b";
    byId("m").options[1].selected = true;
    byId("r2").click();

    morph(main, html);

    equal([byId("i").value, byId("t").value, byId("s").value], ["v", "t", "a"]);
    equal([...byId("m").selectedOptions].map(({ value }) => value), ["a"]);
    equal([byId("r1").checked, byId("r2").checked], [true, false]);
  },

  async "a kept subtree stays as it is, although the new markup differs"() {
    const main = show('<div id="k" data-live-keep class="mine">mine <input></div><p>old</p>');
    main.querySelector("input").value = "typed";

    morph(main, '<div id="k" class="theirs">theirs <input value="v"></div><p>new</p>');

    equal(byId("k").outerHTML, '<div id="k" data-live-keep="" class="mine">mine <input></div>');
    equal(main.querySelector("input").value, "typed");
    equal(main.querySelector("p").textContent, "new");
  },

  async "a kept subtree stays in its place where the new markup lacks it"() {
    const keep = '<form data-live-keep id="k"></form>';
    const main = show(`<ul>${item("a")}${keep}${item("b")}</ul>`);

    morph(main, `<ul>${item("b")}${item("a")}${item("c")}</ul>`);

    equal([...main.firstChild.children].map(({ id }) => id), ["b", "a", "k", "c"]);
  },

  async "a subtree that lost its mark follows the markup again"() {
    const main = show('<p id="a">x</p><div id="k" data-live-keep></div>');
    morph(main, '<p id="a">y</p>');
    ok(byId("k"));

    byId("k").removeAttribute("data-live-keep");
    morph(main, '<p id="a">y</p>');

    equal(main.innerHTML, '<p id="a">y</p>');
  },

  async "a kept element without an id does not match another element of its tag"() {
    const main = show("<p data-live-keep>mine</p><p>old</p>");

    morph(main, "<p>new</p>");

    equal(main.innerHTML, '<p data-live-keep="">mine</p><p>new</p>');
  },

  async "details and dialogs that the user opened stay open"() {
    const main = show('<details id="d"><summary>s</summary>old</details>');
    byId("d").open = true;

    morph(main, '<details id="d"><summary>s</summary>new</details>');

    equal([byId("d").open, byId("d").textContent], [true, "snew"]);
  },

  async "equal nodes are not touched"() {
    const main = show(`<ul>${item("a")}${item("b")}</ul><p>old</p>`);
    const observer = new MutationObserver(() => {});
    observer.observe(main.querySelector("ul"), { subtree: true, childList: true, attributes: true });

    morph(main, `<ul>${item("a")}${item("b")}</ul><p>new</p>`);

    equal(observer.takeRecords().length, 0);
    equal(main.querySelector("p").textContent, "new");
  },

  async "the inserted elements are reported, their descendants not"() {
    const main = show(`<ul>${item("a")}</ul>`);

    const inserted = morph(main, `<ul>${item("a")}${item("b", "<b>x</b>")} text</ul><p>p</p>`);

    equal(inserted.map(({ tagName }) => tagName), ["LI", "P"]);
    ok(inserted.every((element) => element.isConnected));
  },

  async "the parsed document is not changed: other regions read it"() {
    const main = show("<p>old</p>");
    const parsed = new DOMParser().parseFromString("<main><ul><li>x</li></ul></main>", "text/html");

    morphContent(main, parsed.querySelector("main"));

    equal(parsed.body.innerHTML, "<main><ul><li>x</li></ul></main>");
  },

  async "SVG elements keep their namespaces"() {
    const svg = (x) => `<svg viewBox="0 0 9 9"><use xlink:href="#${x}"></use></svg>`;
    const main = show(svg("a"));
    const use = main.querySelector("use");

    morph(main, `${svg("b")}<svg><path d="M0"></path></svg>`);

    equal(use.getAttributeNS("http://www.w3.org/1999/xlink", "href"), "#b");
    equal(main.lastChild.firstChild.namespaceURI, "http://www.w3.org/2000/svg");
  },

  async "a custom element is morphed in place, its content too"() {
    let connections = 0;
    customElements.define(
      "test-element",
      class extends HTMLElement {
        connectedCallback() {
          connections++;
        }
      },
    );
    const main = show('<p></p><test-element topic="x" class="a"><b>old</b></test-element>');

    morph(main, '<test-element topic="x" class="b"><b>new</b></test-element><p></p>');

    equal(main.firstChild.outerHTML, '<test-element topic="x" class="b"><b>new</b></test-element>');
    equal(connections <= 2, true);
  },
};
