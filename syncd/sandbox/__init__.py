"""An embedded PagerDuty, Jira and mail server on loopback that speak the real wire formats, and a story.

`cast.default_world` builds a world. `server.SandboxServer` serves it on three ports. `mail.MailSandbox`
accepts mails. `story.morning` plays a morning. Through `/_sandbox/` on the control port another process does
the same. All of it happens in the time of one clock, which a test or a person moves.

The sandbox proves the daemon, so it imports nothing of the daemon's adapters, engine, ledger or policy. What
it knows of the two services comes from their documentation and from recordings. Where both are silent, an
option decides (`pagerduty.records.Options`, `jira.model.Options`).
"""
