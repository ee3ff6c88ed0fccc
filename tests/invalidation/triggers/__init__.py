"""Tests of the migrations that make triggers."""
