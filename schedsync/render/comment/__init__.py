"""Plans, reviews and drift as Markdown: for the comment of a pull request, or the summary of a job.

It may import ``programs``, ``changes``, ``load``, ``words`` and ``code_spans``; all text from outside goes through
``code_spans``. Begin with ``markdown``; ``change_list`` writes the changes, and ``fitted`` decides what is left out of
a comment that is too long.
"""
