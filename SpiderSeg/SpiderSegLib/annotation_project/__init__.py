"""A project that many annotate: what it holds, where it stands, and how it is kept whole.

`project` opens one; importing and exporting bring series in and out; `predictions` are the models', `summary` and `index` the lists, `status` the
numbers. `decisions`, `models` and `validation_patients` are what people agreed on; `verification` and `rebuilding` keep everything whole. The
masks themselves are the store's (`corrections`).
"""
