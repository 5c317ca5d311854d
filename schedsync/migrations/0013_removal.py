from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0012_rollback"),
    ]

    operations = [
        migrations.CreateModel(
            name="Removal",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("row_id", models.BigIntegerField(help_text="As in the ledger.")),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(help_text="From then on an apply deletes it.")),
                (
                    "held",
                    models.BooleanField(
                        default=False, help_text="A human had disabled it before; it stays so if it is put back."
                    ),
                ),
            ],
        ),
    ]
