"""Tests of what the tests and the Makefile use."""
