"""Other people's issues in the same project: they leave gaps between our keys, as on any living site.

They come at a mean rate while sandbox time passes, at seeded random distances, and are made when the site is
next looked at, dated at the moment when their author made them.
"""

from datetime import datetime, timedelta

from syncd.sandbox.jira.site import Site

AT_ONCE = 500
"""At most so many are made up after a jump in time; the rest of the jump stays quiet."""


class Others:
    """Colleagues who use the project too."""

    def __init__(self, site: Site) -> None:
        """Be quiet until a rate is set."""
        self.site = site
        self.per_hour = 0.0
        self.project_key = ""
        self.by = ""
        self._next: datetime | None = None

    def begin(self, per_hour: float, project_key: str, by: str) -> None:
        """Make `per_hour` issues an hour in a project from now on; 0 stops."""
        self.per_hour, self.project_key, self.by = per_hour, project_key, by
        self._next = self._after(self.site.now()) if per_hour else None

    def _after(self, moment: datetime) -> datetime:
        return moment + timedelta(hours=self.site.rng.expovariate(self.per_hour))

    def catch_up(self, now: datetime) -> int:
        """Make the issues that were due by `now` and return their number."""
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
        setup = next(one for one in project.setups.values() if not one.type.subtask)
        summary = f"Somebody else's work {project.last_number + 1}"
        self.site.create(project, setup, {"summary": summary}, self.by, made_by="person", at=at)
