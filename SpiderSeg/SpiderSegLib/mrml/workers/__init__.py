"""Runs of the command line in processes of their own, as desktop and browser start them. Knows no Qt and no event loop.

`node_runs` goes from nodes to a run and back into the scene; `queue` lets runs wait for each other; `process` is one run, of which `output`
reads what it says, `wording` and `time_left` tell it to people, `process_tree` ends it and `run_folder` holds its files. What differs between
applications is given to the queue: how a process is launched (`launching`) and what calls back from the event loop (`ticker`).
"""
