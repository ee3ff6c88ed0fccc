"""The writer's transaction id: on PostgreSQL the order of the records."""

from __future__ import annotations

from django.db import migrations, models

import realtime.models


class Migration(migrations.Migration):
    dependencies = [("realtime", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="storedrecord",
            name="xid",
            field=models.BigIntegerField(
                db_default=realtime.models.TransactionId(), editable=False, null=True
            ),
        ),
        migrations.AddIndex(
            model_name="storedrecord",
            index=models.Index(
                condition=models.Q(xid__isnull=False), fields=["xid"], name="realtime_record_xid"
            ),
        ),
    ]
