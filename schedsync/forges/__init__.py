"""Forges that are told what became of a commit: one module for each, by its documented API.

It may import `core`, `errors` and `http`, and Django only for its settings. Begin with `forge.py`, then `github.py`.
"""
