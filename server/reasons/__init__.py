"""The words by which metrics, logs and errors say why: each with its meaning and its remedy.

docs/reasons.md is written from these tables. They are plain strings, whose type admits no other: a
comparison, a label and a log line cost what they cost for any string.
"""
