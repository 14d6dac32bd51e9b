"""The formulas in extended precision, one module a topic: what every answer is held against."""
