"""The reference has every name that users meet, and no stale one."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import invalidation.conf
import realtime.conf
from realtime.messages.message import Reset
from realtime.protocol import CloseCode, Frame

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("realtime", "invalidation")
CHECK_ID = re.compile(r"\b(?:realtime|invalidation)\.[EWI]\d{3}\b")
# An id in the code, where the package may be filled in: id=f"{package}.E001"
WRITTEN_ID = re.compile(r"""id=f?["'](realtime|invalidation|\{package\})(\.[EWI]\d{3})["']""")


@pytest.fixture(scope="module")
def reference() -> str:
    pages = sorted((ROOT / "docs/reference").glob("*.md"))
    return "\n".join(page.read_text() for page in pages)


def settings() -> set[str]:
    defaults = (realtime.conf.Defaults, invalidation.conf.Defaults)
    return {field.name for kind in defaults for field in dataclasses.fields(kind)}


def check_ids() -> set[str]:
    ids = set()
    for package, number in WRITTEN_ID.findall(code()):
        named = PACKAGES if package == "{package}" else (package,)
        ids |= {f"{name}{number}" for name in named}
    return ids


def commands() -> set[str]:
    files = (p for name in PACKAGES for p in (ROOT / name).glob("management/commands/[!_]*.py"))
    return {path.stem for path in files}


def frames() -> set[str]:
    return {str(frame.__struct_config__.tag) for frame in Frame.__subclasses__()}


def close_codes() -> set[str]:
    return {str(code.value) for code in CloseCode}


def reset_reasons() -> set[str]:
    return {reason.value for reason in Reset}


def code() -> str:
    return "\n".join(
        path.read_text() for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))
    )


@pytest.mark.parametrize(
    "things", [settings, check_ids, commands, frames, close_codes, reset_reasons]
)
def test_reference_names_every_one_of_the(things: Callable[[], set[str]], reference: str) -> None:
    """Names in code, in errors and in frames can be looked up."""
    missing = sorted(name for name in things() if not names(reference, name))

    assert not missing, f"docs/reference/*.md lacks, as `code`: {', '.join(missing)}"


def test_reference_names_no_check_that_is_gone(reference: str) -> None:
    """An id in the reference is one that the code can still raise."""
    stale = sorted(set(CHECK_ID.findall(reference)) - check_ids())

    assert not stale, f"docs/reference/*.md still has: {', '.join(stale)}"


def names(text: str, name: str) -> bool:
    """Return whether `name` is in `text` as code: within backticks, alone or with other text."""
    return re.search(rf"`[^`\n]*(?<![\w.]){re.escape(name)}(?![\w-])[^`\n]*`", text) is not None


def test_every_table_of_figures_is_filled() -> None:
    """The blocks that `python -m benchmarks NAME --write` fills have been filled."""
    text = (ROOT / "docs/reference/performance.md").read_text()

    blocks = re.findall(r"<!-- begin (\w+) -->(.*?)<!-- end \1 -->", text, re.DOTALL)

    filled = sorted(name for name, block in blocks if "| --- |" in block)
    assert filled == ["connections", "idle", "orm", "pubsub", "screen"]
