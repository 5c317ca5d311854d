from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0004_beat_report"),
    ]

    operations = [
        migrations.CreateModel(
            name="FullPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("who", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.TextField(blank=True, default="")),
                ("since", models.DateTimeField(null=True)),
                (
                    "until",
                    models.DateTimeField(help_text="Empty where everything was resumed with what fell due.", null=True),
                ),
                (
                    "passed_until",
                    models.DateTimeField(help_text="The end of the pauses before: no earlier tick is sent.", null=True),
                ),
            ],
            options={"verbose_name": "pause of everything", "verbose_name_plural": "pause of everything"},
        ),
    ]
