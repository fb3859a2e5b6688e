"""The only place that knows a wire format: PagerDuty, Jira, mail, and the one transport below them."""
