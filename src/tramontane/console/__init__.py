"""The web console: server-rendered pages around the same services that the API uses."""
