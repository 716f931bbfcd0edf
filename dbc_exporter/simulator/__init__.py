"""A DBC world on loopback: client API, nodes, VMs, BMCs, image transfers, faults."""
