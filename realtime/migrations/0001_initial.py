"""The stored records, and the first of them."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import realtime.models


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Store a record without messages, so that there is a position from the first moment on."""
    record = apps.get_model("realtime", "StoredRecord")
    record.objects.using(schema_editor.connection.alias).create(payload="[]")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StoredRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token", models.CharField(default=realtime.models.new_token, max_length=16)),
                ("payload", models.TextField()),
            ],
            options={"verbose_name": "stored record"},
        ),
        migrations.RunPython(begin, migrations.RunPython.noop, elidable=False),
    ]
