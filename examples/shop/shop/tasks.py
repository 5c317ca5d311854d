from datetime import datetime

from celery import shared_task


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
