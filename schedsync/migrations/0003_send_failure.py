from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0002_beat"),
    ]

    operations = [
        migrations.CreateModel(
            name="SendFailure",
            fields=[
                ("row_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("tick", models.DateTimeField()),
                ("failed_at", models.DateTimeField(help_text="By the database's clock.")),
                ("reason", models.TextField()),
                (
                    "given_up",
                    models.BooleanField(
                        default=False, help_text="The message can never be sent; else Beat tries again."
                    ),
                ),
            ],
            options={"verbose_name": "send failure"},
        ),
    ]
