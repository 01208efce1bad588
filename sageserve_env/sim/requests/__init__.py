"""Where requests are, and which is served next: routing, queues, admission, NIW, and what comes too late."""
