"""Commands: everything that changes a user. Each is applied to a UnitOfWork, which holds the rows of one transaction.

A command either raises a LaurelsError before it changes anything, or it is applied completely. Nothing here reads a clock or
a database, so a transaction can be tried again from the start.
"""
