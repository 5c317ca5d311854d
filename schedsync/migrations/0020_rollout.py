from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedsync", "0019_monitors")]

    operations = [
        migrations.CreateModel(
            name="Rollout",
            fields=[
                ("run", models.UUIDField(primary_key=True, serialize=False)),
                ("set", models.CharField(max_length=100)),
                ("environment", models.CharField(max_length=100, null=True)),
                ("commit", models.CharField(max_length=64, null=True)),
                ("began", models.DateTimeField()),
                ("deadline", models.DateTimeField()),
                ("on_failure", models.CharField(max_length=10)),
                ("state", models.CharField(default="watching", max_length=20)),
                (
                    "ended_at",
                    models.DateTimeField(help_text="When its verdict was known; NULL until then.", null=True),
                ),
                ("text", models.TextField(blank=True, default="", help_text="Why it ended as it did.")),
            ],
            options={
                "verbose_name": "rollout",
                "indexes": [models.Index(fields=["set", "began"], name="schedsync_rollouts")],
            },
        ),
        migrations.AlterModelOptions(
            name="beatreport",
            options={"verbose_name": "report of a Beat", "verbose_name_plural": "reports of Beats"},
        ),
    ]
