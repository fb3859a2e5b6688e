"""The embedded Jira: one site, Cloud by default, its REST API, and what people do on its web site."""
