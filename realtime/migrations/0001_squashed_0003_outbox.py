"""The stored records, the first of them, and the outbox.

It replaces three migrations, whose files stay: a database on which only the first of them was
applied takes the others. `replaces` stays for good, since migrations that make triggers depend on
the old names.
"""

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

    replaces = [
        ("realtime", "0001_initial"),
        ("realtime", "0002_transaction_ids"),
        ("realtime", "0003_outbox"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StoredRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token", models.CharField(default=realtime.models.new_token, max_length=16)),
                ("payload", models.TextField()),
                (
                    "xid",
                    models.BigIntegerField(
                        db_default=realtime.models.TransactionId(), editable=False, null=True
                    ),
                ),
            ],
            options={
                "verbose_name": "stored record",
                "indexes": [
                    models.Index(
                        condition=models.Q(xid__isnull=False),
                        fields=["xid"],
                        name="realtime_record_xid",
                    )
                ],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop, elidable=False),
        migrations.CreateModel(
            name="OutboxRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("payload", models.TextField()),
            ],
            options={"verbose_name": "outbox record"},
        ),
    ]
