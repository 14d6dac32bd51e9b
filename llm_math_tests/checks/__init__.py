"""Promises that answers must keep, and how far a right answer may be off."""
