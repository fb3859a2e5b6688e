"""PagerDuty's REST API over pdpyras."""
