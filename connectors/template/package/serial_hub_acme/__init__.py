"""Serial Hub talks to Acme shops."""

from .connector import Acme

__all__ = ["Acme"]
