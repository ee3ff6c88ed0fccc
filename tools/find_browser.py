"""Find the Chromium that the browser tests drive: `python tools/find_browser.py` prints its path.

Order of search: $CHROMIUM, the usual names on PATH, the browser of `playwright install`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_INSTALL = (
    "install it (Debian/Ubuntu: apt-get install chromium; "
    "elsewhere: .venv/bin/playwright install --with-deps chromium), or set CHROMIUM=/path/to/it"
)


class BrowserMissing(Exception):
    """No Chromium was found for the browser tests."""


def find_browser() -> Path:
    """Return the path of a Chromium; raise `BrowserMissing` with instructions if there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return _executable(named)
    for name in NAMES:
        if (path := shutil.which(name)) and _runs(path):
            return Path(path)
    if downloaded := _downloaded_by_playwright():
        return downloaded
    raise BrowserMissing(f"Chromium is missing: {HOW_TO_INSTALL}.")


def _executable(named: str) -> Path:
    path = shutil.which(named)
    if path is None or not _runs(path):
        raise BrowserMissing(f"CHROMIUM={named!r} does not run: {HOW_TO_INSTALL}.")
    return Path(path)


def _runs(path: str) -> bool:
    # Ubuntu's chromium-browser may be a script that only recommends a snap.
    try:
        outcome = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return outcome.returncode == 0


def _downloaded_by_playwright() -> Path | None:
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright"
    found = sorted(Path(folder).glob("chromium-*/chrome-linux*/chrome"))
    return found[-1] if found else None


if __name__ == "__main__":
    try:
        print(find_browser())
    except BrowserMissing as missing:
        sys.exit(f"error: {missing}")
