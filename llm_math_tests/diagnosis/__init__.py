"""What a failure teaches: what was done, what the numbers show, the smallest case.

Nothing here decides whether an answer is right; the checks have done that.
"""
