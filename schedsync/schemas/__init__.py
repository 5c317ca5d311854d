"""The JSON Schemas of all formats: their texts, whether a value conforms to one, and in words where it does not.

The room may import core. Begin with ``validator``. The schemas themselves are the files of the checkout's directory
``schemas``; in the wheel they are in this directory.
"""
