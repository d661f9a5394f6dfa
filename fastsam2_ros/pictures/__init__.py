"""What people look at: overlays, and pictures of what was pruned."""
