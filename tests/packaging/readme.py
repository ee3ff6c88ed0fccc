"""Read the walk-through of README.md as steps that a test can take.

The walk-through stands between these two comments, which a reader of the page does not see:

    <!-- walk-through -->  …  <!-- end of walk-through -->

Each fenced code block between them is one of two things:

* A file. Its first line is a comment that names it, relative to the current folder:
  `# notes/models.py`, `// notes/static/notes/live.js`, `<!-- notes/templates/notes/list.html -->`.
  The block becomes the whole file. With `, append` after the name (`# mysite/settings.py, append`)
  it is added to the end of a file that exists.
* A ```console block. Lines that begin with `$ ` are commands (a trailing backslash continues one);
  all else is output. They are run in the order in which the page shows them.

The page that comes alive is the first http://127.0.0.1:8000/… of the walk-through that is not the
admin's. What is taken otherwise than written is listed in `walkthrough.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

BEGIN = "<!-- walk-through -->"
END = "<!-- end of walk-through -->"

FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)$")
NAMED = re.compile(
    r"(?:#|//|<!--|/\*|\{#)\s*(?P<path>\S+?)(?P<append>, append)?\s*(?:-->|\*/|#\})?$"
)
ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):8000(?P<path>/[^\s)>`\"'*]*)")


class ReadmeError(Exception):
    """The README does not keep to the convention above."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write `text` to the file `path`, or add it at its end."""

    path: PurePosixPath
    text: str
    append: bool
    line: int


@dataclass(frozen=True, slots=True)
class Run:
    """Run `command` in the shell."""

    command: str
    line: int


@dataclass(frozen=True, slots=True)
class Walk:
    """The steps in their order, and the path of the page to look at."""

    steps: tuple[Write | Run, ...]
    page: str


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its lines, and the number of the first of them."""

    language: str
    lines: tuple[str, ...]
    line: int


def read_walk(markdown: str) -> Walk:
    """Return the walk-through that `markdown` holds; raise `ReadmeError` naming the line."""
    lines = markdown.splitlines()
    begin, end = _only(lines, BEGIN), _only(lines, END)
    if end < begin:
        raise ReadmeError(f"README.md:{end + 1}: expected {END!r} after {BEGIN!r}, got it before.")
    blocks = list(_blocks(lines[begin:end], begin + 1))
    steps = tuple(step for block in blocks for step in _steps(block))
    if not steps:
        raise ReadmeError(f"README.md:{begin + 1}: expected code in the walk-through, got none.")
    return Walk(steps, _page("\n".join(lines[begin:end])))


def _only(lines: list[str], mark: str) -> int:
    found = [number for number, line in enumerate(lines) if line.strip() == mark]
    if len(found) != 1:
        raise ReadmeError(f"README.md: expected the line {mark!r} once, got it {len(found)} times.")
    return found[0]


def _blocks(lines: list[str], first: int) -> Iterator[Block]:
    numbered = enumerate(lines, first)
    for number, line in numbered:
        if not (fence := FENCE.match(line)):
            continue
        body: list[str] = []
        for _, inner in numbered:
            if inner.strip().startswith(fence["ticks"]) and not inner.strip(" `~"):
                break
            body.append(inner.removeprefix(fence["indent"]))
        else:
            raise ReadmeError(f"README.md:{number}: expected an end of this code block, got none.")
        yield Block(fence["info"].strip(), tuple(body), number + 1)


def _steps(block: Block) -> Iterator[Write | Run]:
    if block.language == "console":
        yield from _commands(block)
    else:
        yield _file(block)


def _commands(block: Block) -> Iterator[Run]:
    numbered = enumerate(block.lines, block.line)
    some = False
    for number, line in numbered:
        if not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ")
        while command.endswith("\\"):
            _, more = next(numbered, (0, ""))
            command = command[:-1] + more.removeprefix("> ").lstrip()
        some = True
        yield Run(command.strip(), number)
    if not some:
        raise ReadmeError(f"README.md:{block.line}: expected a line that begins with '$ '.")


def _file(block: Block) -> Write:
    first = block.lines[0].strip() if block.lines else ""
    named = NAMED.match(first)
    path = PurePosixPath(named["path"]) if named else PurePosixPath()
    if named is None or not path.suffix or path.is_absolute() or ".." in path.parts:
        raise ReadmeError(
            f"README.md:{block.line}: expected a comment that names the file, like "
            f"'# notes/models.py' or '# mysite/settings.py, append', got {first!r}."
        )
    return Write(path, "\n".join(block.lines) + "\n", bool(named["append"]), block.line)


def _page(text: str) -> str:
    for address in ADDRESS.finditer(text):
        path = address["path"].rstrip(".,;:")
        if not path.startswith("/admin"):
            return path
    raise ReadmeError("README.md: expected a page's address, http://127.0.0.1:8000/…, got none.")
