from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedsync", "0018_sent_alarm")]

    operations = [
        migrations.AddField(
            model_name="managedschedule",
            name="monitor",
            field=models.CharField(help_text="As JSON; NULL without a monitor.", max_length=100, null=True),
        ),
        migrations.CreateModel(
            name="Monitor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("service", models.CharField(max_length=20)),
                ("row_id", models.BigIntegerField()),
                ("set", models.CharField(db_index=True, max_length=100)),
                ("name", models.CharField(max_length=200)),
                ("slug", models.CharField(blank=True, default="", max_length=100)),
                (
                    "remote_id",
                    models.CharField(
                        blank=True, default="", help_text="Empty until the service knows it.", max_length=100
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        blank=True, default="", help_text="Of what was sent; empty: it waits.", max_length=64
                    ),
                ),
                (
                    "made",
                    models.BooleanField(
                        default=False, help_text="False where it was there before: it is never deleted."
                    ),
                ),
                (
                    "muted",
                    models.BooleanField(default=False, help_text="As it was sent: the schedule does not run."),
                ),
                (
                    "error",
                    models.TextField(blank=True, default="", help_text="What the service said last, if it failed."),
                ),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("service", "row_id"), name="schedsync_monitor_rows")]
            },
        ),
    ]
