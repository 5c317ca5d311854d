"""Let a claim be updated where it lies: on PostgreSQL without a new entry in any index, which takes longest."""

from typing import Any

from django.db import migrations, models


def leave_room(apps: Any, schema_editor: Any) -> None:
    """Let new pages keep half of their room for the next version of their rows; what is there is not rewritten."""
    _set(apps, schema_editor, "SET (fillfactor = 50)")


def fill_pages(apps: Any, schema_editor: Any) -> None:
    """Undo it."""
    _set(apps, schema_editor, "RESET (fillfactor)")


def _set(apps: Any, schema_editor: Any, words: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        table = schema_editor.quote_name(apps.get_model("schedsync", "Claim")._meta.db_table)
        schema_editor.execute(f"ALTER TABLE {table} {words}")


class Migration(migrations.Migration):
    """Drop the index of batches: claims are found by their rows."""

    dependencies = [("schedsync", "0014_overlap")]

    operations = [
        migrations.AlterField(model_name="claim", name="batch", field=models.UUIDField()),
        migrations.RunPython(leave_room, fill_pages, elidable=True),
    ]
