"""Sounds of the project's own where a script shows a vocal tag and the engine has no sound for it.

`placing` finds where in the normalised text a tag stands, `join` cuts the text there and puts the sound between
what was spoken, `sigh` makes the one sound there is from the voice itself.
"""
