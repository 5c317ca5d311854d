"""What a change of the files does, told from two Git revisions, without a database.

The room may import Git, files, planning and what lies below them; it never sees Django or the tables. Begin with
``side``, which reads one revision, and ``compare``, which compares two.
"""
