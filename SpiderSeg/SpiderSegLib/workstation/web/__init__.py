"""The web side of the workstation's safety: who may ask, what files are read, taken in and given out, and how the server starts and ends."""
