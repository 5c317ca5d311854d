from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0010_beat_counters"),
    ]

    operations = [
        # An older version that still runs writes NULL into these columns.
        migrations.AddField(
            model_name="syncrun",
            name="pull_request",
            field=models.CharField(help_text="Its URL, or its number.", max_length=300, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="pipeline",
            field=models.CharField(help_text="The URL of CI's pipeline, or its number.", max_length=500, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="job",
            field=models.CharField(max_length=200, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="reason",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="names",
            field=models.IntegerField(db_index=True, help_text="How many names have a row; NULL: none yet.", null=True),
        ),
        migrations.CreateModel(
            name="HistoryName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("run", models.UUIDField(db_index=True)),
                ("old_name", models.CharField(max_length=200, null=True)),
                ("new_name", models.CharField(max_length=200, null=True)),
            ],
            options={
                "verbose_name": "name in the history",
                "verbose_name_plural": "names in the history",
                "indexes": [models.Index(fields=["name", "at"], name="schedsync_history_names")],
            },
        ),
    ]
