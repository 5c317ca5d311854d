"""The load of a week as every reader is shown it: maps of numbers, sentences, and what a change does to it.

It may import ``words`` and the modules below it. Here a map has counts and no colours: ``page.svg`` and
``terminal.maps`` draw it. Begin with ``maps``.
"""
