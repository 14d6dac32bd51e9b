"""Outcomes and timings in; text, tables and files out. Nothing here computes."""
