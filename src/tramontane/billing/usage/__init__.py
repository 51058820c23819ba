"""What was used: reports, and the list of requests."""
