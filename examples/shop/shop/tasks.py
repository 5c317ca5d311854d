from datetime import datetime

from celery import Task, shared_task
from django.core.cache import cache


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


@shared_task
def heartbeat() -> None:
    say("heartbeat")


@shared_task
def sync_tenant(tenant: str) -> None:
    say(f"sync of {tenant}")


@shared_task
def lights(state: str) -> None:
    say(f"lights {state}")


@shared_task
def report(kind: str) -> None:
    say(f"{kind} report")


@shared_task
def refunds() -> None:
    raise ValueError("no refund today")


@shared_task(bind=True)
def invoices(self: Task) -> None:
    # Two messages for the same tick have the same id, so the task runs once for each tick.
    if not cache.add(f"ran:{self.request.id}", True, timeout=24 * 3600):
        return
    say(f"invoices of {self.request.schedsync_set}, for {self.request.schedsync_tick}")
