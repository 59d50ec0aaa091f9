"""Which store the settings name."""

import importlib
from typing import cast

from soloist.infra.settings import Settings, SettingsInvalid
from soloist.infra.storage import Store
from soloist.infra.storage_disk import DiskStore

FOLDER = "documents"  # below the data directory; a backup takes it along


def open_store(settings: Settings, signing_key: bytes = b"") -> Store:
    """The S3-compatible store that the settings name, else the data directory.

    `signing_key` signs the addresses of files on the disk; who asks for none needs none. Raises SettingsInvalid
    where S3 is wanted and its library is not installed.
    """
    if settings.s3_bucket is None:
        return DiskStore(settings.data_dir / FOLDER, signing_key)
    try:
        # An extra that need not be installed: loaded only where it is wanted.
        module = importlib.import_module("soloist.infra.storage_s3")
    except ModuleNotFoundError as fault:
        raise SettingsInvalid(
            f"SOLOIST_S3_BUCKET: {fault.name} is not installed; install it with: pip install 'soloist[s3]'"
        ) from None
    return cast("Store", module.open_bucket(settings))
