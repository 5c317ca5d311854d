from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("schedsync", "0005_full_pause"),
    ]

    operations = [
        migrations.CreateModel(
            name="EnvironmentBinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(max_length=100)),
                ("who", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("server_id", models.CharField(blank=True, default="", max_length=100)),
                ("host", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={"verbose_name": "environment binding"},
        ),
    ]
