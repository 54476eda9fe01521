"""Sound on the session's clock."""
