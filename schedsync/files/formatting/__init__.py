"""Brings schedule files into canonical form: one order of keys, one spelling, one indentation; comments stay.

The text is edited at the places of its nodes, and no writer of YAML sees it. The room may import its neighbours in
``files``, and core; never Django, the database or Git. Begin with ``canonical``.
"""
