"""A shared TODO app whose pages are live: the tutorial's finished code."""
