"""Tests of `invalidation`, one folder or file for each of its modules."""
