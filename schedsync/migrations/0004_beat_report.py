from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0003_send_failure"),
    ]

    operations = [
        migrations.CreateModel(
            name="BeatReport",
            fields=[
                ("beat", models.UUIDField(primary_key=True, serialize=False)),
                ("name", models.CharField(help_text="Host and process.", max_length=220)),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="By the database's clock; NULL until it ends in good order.", null=True
                    ),
                ),
                (
                    "broken_count",
                    models.BigIntegerField(default=0, help_text="Counts the enabled rows that cannot run."),
                ),
                (
                    "broken",
                    models.TextField(default="[]", help_text="The first of them as JSON: pairs of name and reason."),
                ),
                (
                    "broker_trouble",
                    models.TextField(blank=True, default="", help_text="Why the broker cannot be reached, if so."),
                ),
                ("broker_trouble_since", models.DateTimeField(help_text="By the database's clock.", null=True)),
                ("last_tick", models.DateTimeField(help_text="The tick that it sent last.", null=True)),
                ("last_late", models.FloatField(help_text="How late that tick was sent, in seconds.", null=True)),
                (
                    "clock_ahead",
                    models.FloatField(help_text="Seconds that its clock is ahead of the database's.", null=True),
                ),
                ("environment", models.CharField(max_length=100, null=True)),
            ],
            options={
                "verbose_name": "report of a Beat",
            },
        ),
    ]
