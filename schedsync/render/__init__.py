"""Turns values into text, Markdown, JSON, annotations, SARIF, HTML and SVG, and decides nothing.

The room is pure: no Django, no YAML, no Git. It may import ``review`` and the rooms below, for the values that it
shows. Each reader has a sub-room: ``terminal``, ``comment`` (Markdown), ``page`` (HTML and SVG) and ``programs``.
Below them is what several of them share: ``changes``, ``load``, and ``words``, which holds the sentences;
``setup_files`` writes the files of ``init``. Begin with ``terminal.text``.
"""
