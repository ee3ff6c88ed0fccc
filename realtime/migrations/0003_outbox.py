"""The outbox: messages that a backend outside the database has still to take."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("realtime", "0002_transaction_ids")]

    operations = [
        migrations.CreateModel(
            name="OutboxRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("payload", models.TextField()),
            ],
            options={"verbose_name": "outbox record"},
        ),
    ]
