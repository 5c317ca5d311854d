"""The times of the lease: how long it lasts, and how often it is renewed and asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from schedsync.database.beats import LEASE

#: Retries must fit between two renewals, with some room for a slow answer.
_ROOM = 1.2


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a lease lasts, how often the leader renews it, and how often a standby asks for it; in seconds."""

    lease: float = LEASE
    renew: float = 5.0
    retry: float = 1.0

    def __post_init__(self) -> None:
        if not self.lease > self.renew > _ROOM * self.retry > 0:
            raise ImproperlyConfigured(
                f"SCHEDSYNC_LEASE ({self.lease:g} s) must be longer than SCHEDSYNC_RENEW ({self.renew:g} s), "
                f"and that longer than {_ROOM} times SCHEDSYNC_RETRY ({self.retry:g} s), which is more than 0"
            )

    @classmethod
    def of_settings(cls) -> LeaseTimes:
        """Read SCHEDSYNC_LEASE, _RENEW and _RETRY; raises ImproperlyConfigured where they do not fit together."""
        values = {name: getattr(settings, f"SCHEDSYNC_{name.upper()}", None) for name in ("lease", "renew", "retry")}
        return cls(**{name: float(value) for name, value in values.items() if value is not None})

    @property
    def span(self) -> timedelta:
        """How long a lease lasts."""
        return timedelta(seconds=self.lease)

    @property
    def patience(self) -> float:
        """Seconds to wait for a broker's answer: two such waits end before a lease that was renewed just before."""
        return min(self.lease / 3, (self.lease - self.renew) / 2)
