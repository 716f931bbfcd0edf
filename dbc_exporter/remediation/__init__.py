"""Restarts VMs and powers servers on, rarely, once, and with its reasons written down. Off unless configured."""
