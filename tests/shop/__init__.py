"""A small shop: the models that the tests write to. It has no migrations; tables are synced."""
