# ruff: noqa: INP001 -- a script that is mounted into a container, no part of a package
"""Write a random token, for its owner only, to the file that the command line names, unless it is there already."""

import os
import secrets
import sys
from contextlib import suppress

with suppress(FileExistsError):
    handle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
