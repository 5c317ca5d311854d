from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0017_applied_files"),
    ]

    operations = [
        migrations.CreateModel(
            name="SentAlarm",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                (
                    "scope",
                    models.CharField(
                        blank=True, default="", help_text="A set or a host; empty for the leader.", max_length=200
                    ),
                ),
                ("subject", models.CharField(help_text="A schedule, a set, or a Beat.", max_length=250)),
                ("began", models.DateTimeField(help_text="When it was seen first.")),
                ("claim", models.UUIDField(help_text="The call that took it last, to send it.", null=True)),
                ("claimed_at", models.DateTimeField(null=True)),
                (
                    "sent_by",
                    models.CharField(
                        blank=True, default="", help_text="Host and process that took it.", max_length=220
                    ),
                ),
                (
                    "sent_at",
                    models.DateTimeField(help_text="When a service accepted it; NULL until then.", null=True),
                ),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "sent alarm",
                "indexes": [models.Index(fields=["ended_at", "kind", "scope"], name="schedsync_alarms_on")],
            },
        ),
    ]
