"""Metrics for Prometheus: collected at each scrape, and served by a Django view or by Beat on a port of its own.

It may import database, calendar, errors, core and models; Beat and Django's URLs import it. Only ``families``,
``collector``, ``server`` and the view need the package prometheus-client, the extra ``schedsync[metrics]``.
Begin with ``metrics``, the list of all of them, then read ``collector``.
"""
