"""What people and programs read: stored rows become answers."""
