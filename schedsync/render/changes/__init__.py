"""Changes as every reader is shown them: which are shown as one, what follows, which alarm it is, and the verdict.

It may import ``words`` and the modules below it; ``terminal``, ``comment`` and ``page`` all import it. Begin with
``folding``, which makes groups of changes; ``alarms`` knows the kinds of danger, ``effects`` sums up consequences.
"""
