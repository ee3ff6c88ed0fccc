"""Join the client's modules into the one file that pages load.

    python -m tools.bundle        # writes realtime/static/realtime/live.bundle.js

The modules use few forms of import and export, so that they can be joined line by line. An import
lists its names, on one line and without a semicolon. An export stands before its declaration. Any
other form is an error, and so is a name that two modules declare.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "realtime/static/realtime"
ENTRY = STATIC / "live.js"
BUNDLE = STATIC / "live.bundle.js"

HEAD = """\
// The browser's side of django-livequery in one file, which pages load.
// `make bundle` joins the modules beside it. Edit those, not this file.
"""

IMPORT = re.compile(
    r'import \{ (?P<names>\w+(?:, \w+)*) \} /\*;\*/ from "(?P<path>\.\.?/[\w./]+\.js)"'
)
# An import of types, for comments that the type checker reads.
TYPE_IMPORT = re.compile(r"/\*\* @import .* \*/")
DECLARATION = re.compile(
    r"(?P<export>export )?(?:async )?(?:class|function\*?|const|let|var) (?P<name>\w+)"
)
EXPORT_LIST = re.compile(r"export \{ \w+(?:, \w+)* \};")
# A line at the top of a module that begins so must match one of the patterns above. No line may
# contain import(): Django's storages would rewrite it even in a comment.
RESTRICTED = re.compile(
    r"(?:import|export|class|(?:async )?function|const|let|var)\b|.*(?<![\w.])import\("
)


class BundleError(Exception):
    """The modules cannot be joined as they are: the message says which line to change."""


@dataclass
class Module:
    """One source file, parsed."""

    path: Path
    imports: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    exports: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    export_list: str = ""

    @property
    def body(self) -> str:
        """The source without imports and exports, and without the gaps that they left."""
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")


def bundle(entry: Path = ENTRY) -> str:
    """Return the entry and all its imports as one module, imported modules first."""
    modules = list(_in_order(entry, read(entry), [], set()))
    _refuse_collisions(modules, entry)
    sections = [f"{_heading(each, entry)}\n\n{each.body}\n" for each in modules]
    return "\n".join([HEAD, *sections, modules[-1].export_list + "\n"])


def read(path: Path) -> Module:
    """Parse a source file."""
    module = Module(path)
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not _take(line, module):
            raise BundleError(
                f'{path}:{number}: expected `import {{ a, b }} /*;*/ from "./module.js"`, or an'
                f" export before a declaration of its own, got {line!r}: write it in that form"
            )
    return module


def _take(line: str, module: Module) -> bool:
    """Add a line to the module; return False if its form cannot be joined."""
    if TYPE_IMPORT.fullmatch(line):
        return True
    if found := IMPORT.fullmatch(line):
        target = (module.path.parent / found["path"]).resolve()
        module.imports[target] = tuple(found["names"].split(", "))
        return True
    if EXPORT_LIST.fullmatch(line) and not module.export_list:
        module.export_list = line
        return True
    if found := DECLARATION.match(line):
        return _declare(found, line, module)
    module.lines.append(line)
    return not RESTRICTED.match(line)


def _declare(found: re.Match[str], line: str, module: Module) -> bool:
    if found["name"] in module.names:
        return False
    module.names.add(found["name"])
    if found["export"]:
        module.exports.add(found["name"])
    module.lines.append(line.removeprefix("export "))
    return True


def _in_order(entry: Path, module: Module, above: list[Path], seen: set[Path]) -> Iterator[Module]:
    """Yield the module's imports, then the module, each once."""
    above = [*above, module.path]
    for path, names in module.imports.items():
        if path in above:
            circle = " -> ".join(_name(each, entry) for each in [*above, path])
            raise BundleError(f"expected imports without a circle, got {circle}: cut one of them")
        imported = read(path)
        if missing := set(names) - imported.exports:
            raise BundleError(
                f"{module.path}: expected {_name(path, entry)} to export {sorted(missing)},"
                f" it exports {sorted(imported.exports)}"
            )
        if path not in seen:
            yield from _in_order(entry, imported, above, seen)
            seen.add(path)
    yield module


def _refuse_collisions(modules: list[Module], entry: Path) -> None:
    """Raise if two modules declare one name: in one file the second would replace the first."""
    owners: dict[str, Path] = {}
    for module in modules:
        for name in sorted(module.names):
            if other := owners.get(name):
                raise BundleError(
                    f"expected each name in one module, got {name!r} in {_name(other, entry)}"
                    f" and {_name(module.path, entry)}: rename one of them"
                )
            owners[name] = module.path


def _heading(module: Module, entry: Path) -> str:
    return f"// ---- {_name(module.path, entry)} ".ljust(100, "-")


def _name(path: Path, entry: Path) -> str:
    return path.relative_to(entry.parent).as_posix()


def main() -> None:
    """Write the bundle file."""
    BUNDLE.write_text(bundle())


if __name__ == "__main__":
    main()
