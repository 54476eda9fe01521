"""Reading and making media. Knows no AWS."""
