"""When things run: slots of a timing, ticks that are due, the load of a week, and how stock Beat decides.

Three words are used in one sense each. A *slot* is an instant on a timing's grid. A *tick* is the slot that a Beat
owes. A *run* is the sending of one message for one tick.

The room is pure but for Celery's own schedule objects, which it asks; it imports errors and core only. Begin with
``slots`` for the grid of a timing, ``ticks`` for what is due, ``stock_beat`` for what stock Beat would do.
"""
