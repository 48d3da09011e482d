"""Imports configurations of keepalived and HAProxy: text in, text and findings out, without any I/O."""

from maglev.migrate.importing import Format, Imported, Outside, detect, import_text

__all__ = ["Format", "Imported", "Outside", "detect", "import_text"]
