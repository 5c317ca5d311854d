"""The port on which Beat serves its metrics, by the server of prometheus-client in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from schedsync.monitoring.collector import registry_of
from schedsync.monitoring.settings import Address

logger = logging.getLogger(__name__)

#: Seconds after which a port that was taken is tried again.
RETRY = 30.0


@dataclass
class MetricsServer:
    """Serves a collector, and what prometheus-client knows of the process."""

    address: Address
    collector: Collector
    _server: Any = None
    _opening: threading.Thread | None = None
    _next: float = 0.0
    _has_complained: bool = False

    def open(self) -> None:
        """Open the port unless it is open; one that cannot be opened is logged once, and tried again later.

        It is opened in a thread: the name of a host may be looked up, and Beat must not wait for a name server.
        """
        if self._server is not None or time.monotonic() < self._next:
            return
        if self._opening is not None and self._opening.is_alive():
            return
        self._next = time.monotonic() + RETRY
        self._opening = threading.Thread(target=self._open, name="schedsync-metrics", daemon=True)
        self._opening.start()

    def _open(self) -> None:
        registry = registry_of(self.collector)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        try:
            self._server, _ = start_http_server(self.address.port, self.address.host or "0.0.0.0", registry)
        except OSError as error:
            if not self._has_complained:
                way_out = f"free it, or give this Beat another SCHEDSYNC_METRICS_ADDRESS; it is tried every {RETRY:g} s"
                logger.error("the metrics are not served on %s: %s; %s", self.address, error, way_out)
            self._has_complained = True
        else:
            self._has_complained = False
            logger.info("the metrics are served on %s", self.address)

    def close(self) -> None:
        """Close the port; scrapes that are under way end with the process."""
        if self._opening is not None:
            self._opening.join(1.0)
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
