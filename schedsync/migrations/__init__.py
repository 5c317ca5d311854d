"""The migrations of schedsync's own tables: additive only, so that Beats of two versions can run on one database.

While a deployment is rolled out, a Beat of the version before runs on tables that are migrated already. Therefore a
migration adds tables, indexes and columns, and never renames, retypes or removes anything. A new column of a table that
exists is nullable or has a ``db_default``, because an older version inserts rows without naming it; a default in Python
alone is not enough. A column or table that is no longer used is removed one release after the last version that reads
it. The other way round, a new Beat waits for ``migrate`` only if a table that it cannot work without is missing
(``schedsync.beat.tables``); the change that adds an optional column or table makes its readers work without it.
"""
