"""syncd keeps PagerDuty incidents and Jira tickets in agreement, exactly once and on record."""

__version__ = "0.1.0"
