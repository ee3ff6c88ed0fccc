"""The modules are joined into one file, or the error says which line to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bundle import BUNDLE, BundleError, bundle


def entry_of(folder: Path, **sources: str) -> Path:
    """Write modules, by name, and return the one called `entry`."""
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source)
    return (folder / "entry.js").resolve()


def test_the_bundle_is_what_the_modules_give() -> None:
    """`make bundle` writes it anew."""
    assert BUNDLE.read_text() == bundle()


def test_imported_modules_come_first_and_once(tmp_path: Path) -> None:
    """A class must be declared before another extends it."""
    entry = entry_of(
        tmp_path,
        entry=(
            'import { a } /*;*/ from "./a.js"\nimport { b } /*;*/ from "./b.js"\n\n'
            "export { a, b };\n"
        ),
        a='import { b } /*;*/ from "./b.js"\n\n/** Says a. */\nexport const a = () => b();\n',
        b="export function b() {}\n",
    )

    joined = bundle(entry)

    code = [line for line in joined.splitlines() if line and not line.startswith("//")]
    assert code == [
        "function b() {}",
        "/** Says a. */",
        "const a = () => b();",
        "export { a, b };",
    ]


def test_types_are_imported_for_the_checker_alone(tmp_path: Path) -> None:
    """Where they come from is another file, which the bundle does not load."""
    source = '/** @import { A } from "./a.js" */\nexport const b = 1;\n'

    assert "@import" not in bundle(entry_of(tmp_path, entry=source))


def test_a_name_in_two_modules_is_an_error(tmp_path: Path) -> None:
    """In one file the second would be a syntax error, or replace the first."""
    entry = entry_of(
        tmp_path,
        entry='import { a } /*;*/ from "./a.js"\nconst MOST = 1;\na();\n',
        a="const MOST = 2;\nexport function a() {}\n",
    )

    with pytest.raises(BundleError, match=r"'MOST' in a\.js and entry\.js: rename"):
        bundle(entry)


def test_a_circle_is_an_error(tmp_path: Path) -> None:
    """No order would do."""
    entry = entry_of(
        tmp_path,
        entry='import { a } /*;*/ from "./a.js"\nexport const entry = a;\n',
        a='import { entry } /*;*/ from "./entry.js"\nexport const a = entry;\n',
    )

    with pytest.raises(BundleError, match=r"entry\.js -> a\.js -> entry\.js"):
        bundle(entry)


def test_a_name_that_is_not_exported_is_an_error(tmp_path: Path) -> None:
    """As it is to a browser that loads the modules."""
    entry = entry_of(tmp_path, entry='import { c } /*;*/ from "./a.js"\n', a="const c = 1;\n")

    with pytest.raises(BundleError, match=r"a\.js to export \['c'\]"):
        bundle(entry)


@pytest.mark.parametrize(
    "line",
    [
        'import { a } from "./a.js";',
        'import { a as b } from "./a.js"',
        'import * as a from "./a.js"',
        'import a from "./a.js"',
        'import "./a.js"',
        'const a = await import("./a.js");',
        '/** @type {import("./a.js").A} */',
        'export { a } from "./a.js"',
        "export { a as b };",
        "export default class {}",
        "const { a } = b;",
        "const a = 1; // twice",
    ],
)
def test_any_other_form_is_an_error(tmp_path: Path, line: str) -> None:
    """What the joiner does not understand it does not pass on."""
    entry = entry_of(tmp_path, entry=f"export const a = 2;\n{line}\n", a="export const a = 1;\n")

    with pytest.raises(BundleError, match=r"entry\.js:2: expected"):
        bundle(entry)
