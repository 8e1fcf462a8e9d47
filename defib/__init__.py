"""Defib: disaster recovery for web properties that runs, is timed, and proves itself."""

__version__ = "0.1.0"
