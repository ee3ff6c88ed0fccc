"""The client's files after Django's storages have collected them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage

from tools.bundle import BUNDLE, STATIC


class Aggregating(ManifestStaticFilesStorage):
    """Rewrites the imports of each module, in the passes that Django allows by default."""

    support_js_module_import_aggregation = True


@pytest.mark.parametrize("storage_class", [ManifestStaticFilesStorage, Aggregating])
@pytest.mark.parametrize("importers_first", [True, False])
def test_storages_rename_our_modules_and_leave_them_as_they_are(
    storage_class: type[ManifestStaticFilesStorage], importers_first: bool, tmp_path: Path
) -> None:
    """In any order of files: a chain of rewritten imports may need too many passes."""
    source = FileSystemStorage(STATIC)
    names = re.findall(r"^// ---- (\S+) ", BUNDLE.read_text(), re.MULTILINE)
    names = ["live.bundle.js", *(reversed(names) if importers_first else names)]

    storage = storage_class(tmp_path, "/static/")
    processed = list(storage.post_process({name: (source, name) for name in names}))

    assert [name for name, _, _ in processed] == sorted(names, key=lambda each: -each.count("/"))
    for name, hashed, was_processed in processed:
        assert was_processed is True, (name, was_processed)
        assert (tmp_path / hashed).read_text() == (STATIC / name).read_text()
