"""The edge to the tables: reads them as plain values, and writes changes in one transaction behind the apply lock.

It may import planning, calendar, core, errors and the models, and it decides nothing: a plan says what to write. Begin
with ``observe`` for reading; for writing follow ``confirm``, ``transaction``, ``write`` and ``ledger``.
"""
