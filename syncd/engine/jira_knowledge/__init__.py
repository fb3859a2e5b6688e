"""What Jira says about its projects: names resolved to ids, screens, workflows."""
