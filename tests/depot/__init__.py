"""An app without models, for migrations that tests write."""
