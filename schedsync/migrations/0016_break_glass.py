from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the permissions of the admin, and the schedules that somebody has opened for editing there."""

    dependencies = [("schedsync", "0015_claim_updates")]

    operations = [
        migrations.AlterModelOptions(
            name="managedschedule",
            options={
                "permissions": [
                    ("apply_schedules", "Can apply the schedules of the files"),
                    ("pause_schedules", "Can pause and resume managed schedules"),
                    ("run_schedules", "Can run managed schedules now"),
                    ("break_glass", "Can open managed schedules for editing"),
                ],
                "verbose_name": "managed schedule",
            },
        ),
        migrations.CreateModel(
            name="BreakGlass",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("reason", models.TextField()),
                ("who", models.CharField(max_length=200)),
                ("since", models.DateTimeField()),
            ],
            options={
                "verbose_name": "schedule open for editing",
                "verbose_name_plural": "schedules open for editing",
            },
        ),
    ]
