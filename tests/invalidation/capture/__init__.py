"""Tests of what notices the writes, on a real database."""
