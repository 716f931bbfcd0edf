"""`python -m dbc_exporter` is the command `dbc-exporter`."""

import sys

from dbc_exporter.cli import main

sys.exit(main())
