"""Notebooks are compared strictly: a progress bar on a slow machine must not make two runs differ."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")
