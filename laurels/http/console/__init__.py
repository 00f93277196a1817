"""The console of operators, with a sign-in of its own."""
