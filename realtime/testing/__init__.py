"""Helpers to test code that uses, or extends, this package."""

from realtime.testing.contract import PubSubContract

__all__ = ["PubSubContract"]
