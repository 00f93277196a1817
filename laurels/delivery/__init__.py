"""What leaves the outbox: notifications to the streams of users who listen."""
