"""The page of the workstation: reads `state`, writes the keys that belong to controls, and asks for everything else with `trigger('act', ..)`.

`page.build` makes it, `state.defaults` has every key of the state with its start value. Knows neither MRML nor the files that are open.
"""
