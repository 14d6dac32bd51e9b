"""Timing as numbers: what is timed, on which clock, how often; no printing and no pytest."""
