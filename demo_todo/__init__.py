"""A shared TODO app with live pages, which the tutorial ends with."""
