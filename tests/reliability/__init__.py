"""Never lose, never double, never believe a stranger: each invariant is tried in many cases and counted."""
