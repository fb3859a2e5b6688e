"""The embedded PagerDuty: one account, its REST API version 2, and what people do on its web site."""
