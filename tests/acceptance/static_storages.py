"""A storage that users make by setting one attribute of Django's."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class AggregatingStorage(ManifestStaticFilesStorage):
    """Rewrites the imports of each module, in the passes that Django grants by default."""

    support_js_module_import_aggregation = True
