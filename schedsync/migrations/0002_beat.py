import uuid

from django.db import migrations, models


def make_lease_row(apps, schema_editor):
    apps.get_model("schedsync", "Lease").objects.using(schema_editor.connection.alias).get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Beat",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=200)),
                ("pid", models.BigIntegerField()),
                ("election", models.CharField(help_text="Where the lease lives.", max_length=20)),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(help_text="By the database's clock, as all times here.")),
                ("leads", models.BooleanField(default=False)),
                ("leads_since", models.DateTimeField(null=True)),
                ("epoch", models.BigIntegerField(default=0)),
                (
                    "loaded",
                    models.BigIntegerField(default=-1, help_text="The number of the last change that it has loaded."),
                ),
                ("loaded_at", models.DateTimeField(null=True)),
                ("schedules", models.BigIntegerField(default=0)),
                (
                    "trouble",
                    models.TextField(
                        blank=True, default="", help_text="What it says loudly, such as a second scheduler."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("row_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("tick", models.DateTimeField()),
                ("batch", models.UUIDField(db_index=True)),
                ("epoch", models.BigIntegerField()),
                ("claimed_at", models.DateTimeField(help_text="By the database's clock.")),
                ("confirmed", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "deployment",
                    models.UUIDField(default=uuid.uuid4, help_text="Names the lease where it lives in Redis."),
                ),
                ("holder", models.UUIDField(null=True)),
                ("epoch", models.BigIntegerField(default=0, help_text="Counts the acquisitions.")),
                ("acquired_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(help_text="By the database's clock.", null=True)),
            ],
        ),
        migrations.AddField(
            model_name="applylock",
            name="number",
            field=models.BigIntegerField(
                default=0, help_text="Counts what was written behind the lock; Beats report it."
            ),
        ),
        migrations.AddField(
            model_name="managedschedule",
            name="delivery",
            field=models.CharField(default="at_least_once", max_length=20),
        ),
        migrations.AddField(
            model_name="managedschedule",
            name="missed_runs",
            field=models.CharField(default="latest", max_length=10),
        ),
        migrations.AddField(
            model_name="managedschedule",
            name="starting_deadline",
            field=models.PositiveBigIntegerField(help_text="In seconds.", null=True),
        ),
        migrations.AlterField(
            model_name="managedschedule",
            name="row_id",
            field=models.BigIntegerField(db_index=True, null=True),
        ),
        migrations.RunPython(make_lease_row, migrations.RunPython.noop),
    ]
