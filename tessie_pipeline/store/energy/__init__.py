"""Energy of sites as it is stored: Tesla's history and its gaps, intervals, days and batteries.

And which days are to be computed anew, and how rows of sites are read.
"""
