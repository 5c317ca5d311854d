"""Change a schedule as the user Sam, through the form of the real admin view."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
# By default the form of a managed schedule is read-only.
os.environ["SHOP_ADMIN"] = "warn"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django_celery_beat.models import PeriodicTask  # noqa: E402


def main(name: str, field: str, value: str) -> int:
    sam = get_user_model().objects.filter(username="sam").first()
    sam = sam or get_user_model().objects.create_superuser("sam", "sam@example.org", "sam")
    setup_test_environment()
    client = Client()
    client.force_login(sam)
    row = PeriodicTask.objects.get(name=name)
    url = f"/admin/django_celery_beat/periodictask/{row.pk}/change/"
    form = client.get(url).context["adminform"].form
    values = {key: given for key, given in form.initial.items() if given is not None and given is not False}
    values.update(regtask="", crontab_translation="")
    answer = client.post(url, {**values, field: value})
    return 0 if answer.status_code == 302 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
