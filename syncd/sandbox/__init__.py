"""An embedded PagerDuty, Jira and mail server on loopback that speak the real wire formats, and a story.

`cast.default_world` makes a world, `server.SandboxServer` puts it on three ports, `mail.MailSandbox` takes
letters, `story.morning` plays a morning, and `/_sandbox/` on the control port lets another process do all
that. Everything happens in the time of one clock, which a test or a person moves.

Nothing here is imported by what it is there to prove, and it imports nothing of that: what it knows of the
two services comes from their documentation and recordings, not from the daemon's adapters. What neither says
is an option (`pagerduty.records.Options`, `jira.model.Options`) instead of a guess.
"""
