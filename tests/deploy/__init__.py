"""Servers behind nginx, both as the documentation says to run them."""
