"""The admin API. Kept apart from the schemas that the hosted API documents too."""
