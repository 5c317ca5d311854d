from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0013_removal"),
    ]

    operations = [
        migrations.AddField(
            model_name="managedschedule",
            name="overlap",
            field=models.CharField(help_text="NULL where runs may overlap.", max_length=10, null=True),
        ),
        migrations.AddField(
            model_name="managedschedule",
            name="max_runtime",
            field=models.PositiveBigIntegerField(help_text="In seconds.", null=True),
        ),
        # After the columns: Beat reads them as soon as this table is there.
        migrations.CreateModel(
            name="OpenRun",
            fields=[
                ("task_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("row_id", models.BigIntegerField(db_index=True)),
                (
                    "sent_at",
                    models.DateTimeField(
                        help_text="When the broker had its message, or a retry was asked for.", null=True
                    ),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("worker", models.CharField(blank=True, default="", max_length=255)),
            ],
            options={"verbose_name": "open run"},
        ),
    ]
