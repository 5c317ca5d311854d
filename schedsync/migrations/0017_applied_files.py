from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0016_break_glass"),
    ]

    operations = [
        migrations.CreateModel(
            name="AppliedFiles",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("set", models.CharField(max_length=100)),
                ("environment", models.CharField(blank=True, default="", max_length=100)),
                ("commit", models.CharField(max_length=64, null=True)),
                ("at", models.DateTimeField()),
                ("digest", models.CharField(help_text="Of the schedules and their places.", max_length=64)),
                ("desired", models.BinaryField(help_text="The schedules as JSON compressed by zlib.")),
                ("load", models.BinaryField(help_text="The load of a week as JSON compressed by zlib.")),
            ],
            options={
                "verbose_name": "applied files",
                "verbose_name_plural": "applied files",
                "constraints": [
                    models.UniqueConstraint(fields=["set", "environment"], name="schedsync_appliedfiles_set")
                ],
            },
        ),
    ]
