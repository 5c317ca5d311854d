from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0006_environment_binding"),
    ]

    operations = [
        migrations.CreateModel(
            name="LeaderLock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "epoch",
                    models.BigIntegerField(
                        default=0, help_text="The lease's epoch; 0 where the leader has no such lock."
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "server",
                    models.CharField(help_text="A lock is known only to the server that keeps it.", max_length=200),
                ),
            ],
            options={"verbose_name": "leader lock"},
        ),
    ]
