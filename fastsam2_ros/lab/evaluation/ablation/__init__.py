"""Many pruning policies over the same videos: what each costs, and what it loses."""
