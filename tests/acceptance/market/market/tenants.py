import os
from pathlib import Path


def active() -> list[str]:
    """Return the tenants of this region."""
    return Path(os.environ["MARKET_TENANTS"]).read_text().split()
