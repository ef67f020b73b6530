"""The vocabulary: records, timelines, on-disk layouts and the pinned model table.

This room imports nothing of ours. Makers (``generators``), judges (``validators``)
and the conductor (``flows``) all speak in these types.
"""
