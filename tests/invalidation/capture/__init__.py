"""Tests of capture, on a real database."""
