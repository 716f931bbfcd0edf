"""The DBC client node HTTP API: typed calls, answers, errors, authority, pacing."""
