"""One module per source: fetch and parse into facts. No metric names in here."""
