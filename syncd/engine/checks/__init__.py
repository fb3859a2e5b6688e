"""What can be asked before the daemon runs: each finding ok, wrong or unknown, and never a write.

`finding` says what a finding is, `run` asks everything in order, the other modules hold one subject each;
`trial` alone writes, and only where a person asked for a trial ticket.
"""
