"""Sphinx settings: ``sphinx-build -W docs build/docs``."""

project = "llm-math-tests"
author = "The llm-math-tests maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["build"]
