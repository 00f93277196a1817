"""Acts: everything that changes a user. Each is applied to a Desk, which holds what one transaction found and will write.

An act either raises one of our errors before it touches the desk, or it is done whole. Nothing here reads a clock or a
database, so a transaction can be tried again from the start.
"""
