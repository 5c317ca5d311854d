import uuid

from django.db import migrations, models


def make_lock_row(apps, schema_editor):
    apps.get_model("schedsync", "ApplyLock").objects.using(schema_editor.connection.alias).get_or_create(pk=1)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ApplyLock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("holder", models.CharField(blank=True, default="", max_length=200)),
                ("taken_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "apply lock",
            },
        ),
        migrations.CreateModel(
            name="ManagedSchedule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("set", models.CharField(db_index=True, max_length=100)),
                ("name", models.CharField(max_length=200, unique=True)),
                ("row_id", models.BigIntegerField(null=True)),
                ("timing_kind", models.CharField(blank=True, default="", max_length=10)),
                ("timing_id", models.BigIntegerField(null=True)),
                ("applied", models.TextField(help_text="The canonical form last applied, as JSON.")),
                (
                    "people",
                    models.TextField(default="{}", help_text="Owner, runbook, labels and disabled reason, as JSON."),
                ),
                ("path", models.TextField(blank=True, default="")),
                ("line", models.PositiveIntegerField(default=0)),
                ("column", models.PositiveIntegerField(default=0)),
                ("commit", models.CharField(blank=True, default="", max_length=64)),
                ("applied_at", models.DateTimeField(help_text="An edit since then is somebody else's.")),
            ],
            options={
                "verbose_name": "managed schedule",
            },
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                ("reason", models.TextField()),
                ("who", models.CharField(max_length=200)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
                (
                    "held",
                    models.BooleanField(
                        default=False, help_text="A human had disabled it before; it stays so afterwards."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SyncRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("verb", models.CharField(max_length=20)),
                ("set", models.CharField(db_index=True, max_length=100)),
                ("environment", models.CharField(max_length=100, null=True)),
                ("repository", models.TextField(null=True)),
                ("path", models.TextField(null=True)),
                ("commit", models.CharField(max_length=64, null=True)),
                ("checksum", models.CharField(blank=True, default="", max_length=80)),
                ("who", models.CharField(max_length=200)),
                ("at", models.DateTimeField(db_index=True)),
                ("summary", models.TextField(default="{}", help_text="Counts of changes by kind, as JSON.")),
                (
                    "changes",
                    models.BinaryField(default=b"", help_text="The changes as in a plan, as JSON compressed by zlib."),
                ),
            ],
            options={
                "verbose_name": "sync run",
            },
        ),
        migrations.RunPython(make_lock_row, migrations.RunPython.noop),
    ]
