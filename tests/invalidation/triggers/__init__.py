"""Tests of the migrations with triggers."""
