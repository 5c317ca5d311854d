"""Everything as text for a terminal: plans, reviews, findings, status, forecasts, and the outcome of an apply.

It may import ``changes``, ``load`` and ``words``, and ``programs`` too: ``ledger``, ``full_pause`` and
``run_comparison`` write their few values as JSON beside the text. Text from outside always goes through
``words.printable``. Begin with ``text``, which writes a plan and a review; ``plan_sections`` writes their parts,
``change_lines`` a group of changes, and ``paint`` gives colour.
"""
