"""Management of a project."""
