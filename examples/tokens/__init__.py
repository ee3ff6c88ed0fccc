"""Tokens for programs that have no session."""
