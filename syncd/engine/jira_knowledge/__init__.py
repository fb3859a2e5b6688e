"""Facts that Jira tells about its projects: names resolved to ids, screens, workflows."""
