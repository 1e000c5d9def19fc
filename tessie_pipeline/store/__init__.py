"""Postgres, and the archive of old samples beside it: a package for each subject.

`tables` has all tables. Here is what every subject uses, such as transactions, bulk reads and
writes, partitions and sealed secrets, and what is too small for a package.
"""
