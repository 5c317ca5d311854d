from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0007_leader_lock"),
    ]

    operations = [
        migrations.CreateModel(
            name="JournalSegment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("beat", models.UUIDField()),
                ("name", models.CharField(help_text="The Beat's host and process.", max_length=220)),
                ("epoch", models.BigIntegerField()),
                (
                    "turn",
                    models.CharField(
                        blank=True, default="", help_text="Where the Beat begins or ends to lead.", max_length=10
                    ),
                ),
                ("first", models.DateTimeField(help_text="The first of its ticks.", null=True)),
                ("last", models.DateTimeField(help_text="The last of its ticks.", null=True)),
                ("written_at", models.DateTimeField(help_text="By the database's clock.")),
                ("data", models.BinaryField()),
            ],
            options={
                "verbose_name": "segment of the journal",
                "verbose_name_plural": "segments of the journal",
                "indexes": [
                    models.Index(fields=["last", "first"], name="schedsync_journal_ticks"),
                    models.Index(fields=["turn", "written_at"], name="schedsync_journal_turns"),
                    models.Index(fields=["beat", "epoch", "written_at"], name="schedsync_journal_beats"),
                ],
            },
        ),
    ]
