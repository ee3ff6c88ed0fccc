"""Sphinx: Markdown pages, and the Python API from its docstrings."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_todo.settings")
django.setup()  # autodoc imports models

project = "django-livequery"
author = "django-livequery contributors"
copyright = "2026, django-livequery contributors"
release = version_of(project)

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
default_role = "code"

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = "django-livequery"
