from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0008_journal"),
    ]

    operations = [
        migrations.CreateModel(
            name="StandingPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("selector", models.TextField(help_text="As JSON.")),
                ("reason", models.TextField()),
                ("who", models.CharField(max_length=200)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
            ],
            options={"verbose_name": "standing pause"},
        ),
    ]
