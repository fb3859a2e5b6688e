"""Issues that other people create in the same project: they leave gaps between our keys, as on any real site.

They come at a mean rate while sandbox time passes, at seeded random distances. The sandbox creates them at
its next request or act, dated at the time at which their author would have created them.
"""

from datetime import datetime, timedelta

from syncd.sandbox.jira.site import Site

AT_ONCE = 500
"""How many issues are made up at most after a jump in time; the rest of the jump stays quiet."""


class Others:
    """Colleagues who create issues in the same project."""

    def __init__(self, site: Site) -> None:
        """Start without a rate: no issue comes until `begin`."""
        self.site = site
        self.per_hour = 0.0
        self.project_key = ""
        self.by = ""
        self._next: datetime | None = None

    def begin(self, per_hour: float, project_key: str, by: str) -> None:
        """Create `per_hour` issues an hour in a project from now on; 0 stops."""
        self.per_hour, self.project_key, self.by = per_hour, project_key, by
        self._next = self._after(self.site.now()) if per_hour else None

    def _after(self, moment: datetime) -> datetime:
        return moment + timedelta(hours=self.site.rng.expovariate(self.per_hour))

    def catch_up(self, now: datetime) -> int:
        """Create the issues that were due by `now` and return their number."""
        made = 0
        while self._next is not None and self._next <= now:
            if made >= AT_ONCE:
                self._next = self._after(now)
                break
            self._make(self._next)
            made += 1
            self._next = self._after(self._next)
        return made

    def _make(self, at: datetime) -> None:
        project = self.site.project(self.project_key)
        if project is None:
            return
        setup = next(row for row in project.setups.values() if not row.type.subtask)
        summary = f"Somebody else's work {project.last_number + 1}"
        self.site.create(project, setup, {"summary": summary}, self.by, made_by="person", at=at)
