from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0009_standing_pause"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApplyFailure",
            fields=[
                ("set", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("reason", models.CharField(max_length=40)),
                ("who", models.CharField(max_length=200)),
            ],
            options={"verbose_name": "failure of an apply", "verbose_name_plural": "failures of applies"},
        ),
        migrations.CreateModel(
            name="BeatCounters",
            fields=[
                ("beat", models.UUIDField(primary_key=True, serialize=False)),
                ("sent", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("given_up", models.BigIntegerField(default=0)),
                ("unsure", models.BigIntegerField(default=0)),
                ("passed_over", models.BigIntegerField(default=0)),
                ("lease_losses", models.BigIntegerField(default=0)),
                ("reloads", models.BigIntegerField(default=0)),
                ("reload_seconds", models.FloatField(default=0.0)),
            ],
            options={"verbose_name": "counters of a Beat", "verbose_name_plural": "counters of Beats"},
        ),
    ]
