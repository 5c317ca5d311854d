"""Turns values into text, Markdown, JSON, annotations, SARIF, HTML and SVG, and decides nothing.

The room is pure: no Django, no YAML, no Git. It may import ``review`` and the rooms below, for the values that it
shows. Begin with ``text`` for what a terminal shows; ``words`` holds the sentences that several formats share.
"""
