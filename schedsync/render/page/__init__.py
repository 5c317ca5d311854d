"""A review and a forecast as one page of HTML that loads nothing, and the map of a load as SVG.

It may import ``changes``, ``load`` and ``words``; the templates of the pages lie in its ``templates``, and escape all
text from outside. Begin with ``review``, then read ``templates/review.html``; ``rows`` makes the rows of a table.
"""
