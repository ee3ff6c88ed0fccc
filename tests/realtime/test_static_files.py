"""The client's files after Django's storages have collected them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage

from tools.bundle import BUNDLE, STATIC

IMPORT = re.compile(r'^import .* from "([^"]+)"', re.MULTILINE)


class Aggregating(ManifestStaticFilesStorage):
    """Rewrites the imports of each module, in the passes that Django allows by default."""

    support_js_module_import_aggregation = True


@pytest.mark.parametrize("storage_class", [ManifestStaticFilesStorage, Aggregating])
@pytest.mark.parametrize("importers_first", [True, False])
def test_storages_rename_our_modules_and_keep_their_imports(
    storage_class: type[ManifestStaticFilesStorage], importers_first: bool, tmp_path: Path
) -> None:
    """In any order of files: a chain of rewritten imports may need too many passes.

    Django 6.1 rewrites our imports, older versions leave them as they are. Pages ask for the bundle
    alone, which imports nothing.
    """
    source = FileSystemStorage(STATIC)
    names = re.findall(r"^// ---- (\S+) ", BUNDLE.read_text(), re.MULTILINE)
    names = ["live.bundle.js", *(reversed(names) if importers_first else names)]

    storage = storage_class(tmp_path, "/static/")
    processed = list(storage.post_process({name: (source, name) for name in names}))

    assert [name for name, _, done in processed if isinstance(done, Exception)] == []
    hashed = {name: tmp_path / stored for name, stored, _ in processed}
    assert hashed.keys() == set(names)
    assert hashed["live.bundle.js"].read_text() == BUNDLE.read_text()
    stored = set(hashed.values()) | {STATIC / name for name in names}
    for name, path in hashed.items():
        for imported in IMPORT.findall(path.read_text()):
            beside = (path.parent / imported).resolve(), (STATIC / name).parent / imported
            assert stored.intersection({beside[0], beside[1].resolve()}), (name, imported)
