"""The bias audit of a selection: where groups are treated differently, by whom, and who is harmed.

`sources` makes one table of counts of the department's files and of official counts; the rest asks
of it what the plan in ``params.yaml`` says, in the steps information, knowledge and wisdom.
"""
