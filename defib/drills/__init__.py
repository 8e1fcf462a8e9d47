"""Rehearsals: when one is due, what holds it back, how it goes, and what it proved."""
