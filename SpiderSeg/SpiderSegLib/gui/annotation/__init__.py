"""The annotation loop in the panel: project, series, case, findings, gradings, revisions, models.

`project_section` is there from the start and opens a project; all else is imported then, because it needs the packages of a run.
`workspace` holds what the sections share; what they do to nodes and files is `mrml.annotation_session`'s.
"""
