from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0011_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="RolledBack",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("set", models.CharField(max_length=100)),
                ("name", models.CharField(max_length=200, help_text="The name in the files.")),
                ("kept_name", models.CharField(max_length=200, help_text="The name in the tables.")),
                ("rejected", models.TextField(help_text="Canonical forms as JSON; null for no schedule.")),
                (
                    "kept",
                    models.TextField(
                        blank=True, default="", help_text="A canonical form as JSON; empty for no schedule."
                    ),
                ),
                (
                    "released",
                    models.BooleanField(
                        default=False, help_text="Its adoption was rolled back: nobody manages its row."
                    ),
                ),
                ("path", models.TextField(blank=True, default="")),
                ("line", models.PositiveIntegerField(default=0)),
                ("column", models.PositiveIntegerField(default=0)),
                ("reason", models.TextField()),
                ("who", models.CharField(max_length=200)),
                ("since", models.DateTimeField()),
                ("run", models.UUIDField()),
            ],
            options={
                "verbose_name": "rolled-back schedule",
                "constraints": [models.UniqueConstraint(fields=("set", "name"), name="schedsync_rolledback_names")],
            },
        ),
    ]
