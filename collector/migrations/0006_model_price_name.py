"""A name for a price, for people. Generated."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collector", "0005_deletion"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelprice",
            name="name",
            field=models.CharField(blank=True, default="", max_length=120),
        ),
    ]
