"""Other recommenders, one file each, behind one small interface; what they need is not ours.

Each runs in a process of its own that imports nothing of Millstream (`python -m benchmarks.peers`).
"""
