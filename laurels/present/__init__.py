"""What users and programs read: one module for each noun, with its types and the functions that make them from rows."""
