"""Encoders: what turns an item's words, picture or sound into a vector.

encoder.py says what one is; folder.py opens one from a folder; hashing.py needs no folder.
"""

from millstream.models.encoders.encoder import Encoder, Encoders, Modality, Pixels, Sound, Vectors

__all__ = ["Encoder", "Encoders", "Modality", "Pixels", "Sound", "Vectors"]
