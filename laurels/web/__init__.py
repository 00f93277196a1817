"""What people look at: templates and static files, and no Python."""
