"""The verbs of the command line, one a file: each reads its options, calls one use case, and renders the result.

It may import every room except ``management``; use cases and Django are imported inside the functions, so that
``--help`` starts at once. Shared modules are ``options`` and ``parameters`` (typed values), ``django`` (setup),
``documents`` (snapshots and saved plans), ``output`` and ``terminal``. Begin with ``validate``, then ``plan``.
"""
