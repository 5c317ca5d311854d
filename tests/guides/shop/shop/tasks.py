from celery import shared_task


@shared_task
def nightly_report(kind="full"): ...


@shared_task
def close_billing(): ...


@shared_task
def sync_tenant(tenant): ...


@shared_task
def rebuild_search(full=False): ...


@shared_task
def heartbeat(): ...
