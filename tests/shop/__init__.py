"""A small shop: the models that tests write to. It has no migrations; its tables are synced."""
