"""The section `two_way` of a mapping."""

from __future__ import annotations

from pydantic import Field

from syncd.domain.base import Value


class TwoWay(Value):
    """The changes that travel between incident and ticket in both directions, switched on one by one."""

    notes: bool = Field(
        True,
        description="A note on the incident becomes a comment on the ticket; an edit rewrites it, and a"
        " deletion turns it into a word that says so.",
    )
    comments: bool = Field(
        True,
        description="A person's comment on the ticket becomes a note, which follows it in the same way as far"
        " as PagerDuty lets notes be edited.",
    )
    acknowledge: bool = Field(
        False,
        description="A person who moves the ticket to the status of `acknowledged` acknowledges the incident:"
        " it stops paging people, in the name of the user of `SYNCD_PAGERDUTY_FROM`. This key and the next"
        " two work only while no status stands for two states of incidents.",
    )
    resolve: bool = Field(
        False,
        description="A person who moves the ticket to the status of `resolved` or `closed` resolves the"
        " incident: nobody is paged for it any more, and what is owed after a resolve begins.",
    )
    reopen: bool = Field(
        False,
        description="A person who moves the ticket of a resolved incident back to the status of `triggered`"
        " or `acknowledged` opens the incident again: its escalation policy pages somebody.",
    )
    reassign: bool = Field(
        False,
        description="A person who gives the ticket to somebody else gives them the incident, if it is open"
        " and they have an address in PagerDuty: it pages them, and its escalation ends.",
    )
    priority: bool = Field(
        False,
        description="A person who changes the ticket's priority changes the incident's, where one severity"
        " stands for it: that changes the severity, which may send its notices and owe a postmortem.",
    )
    title: bool = Field(
        False,
        description="A person who changes the ticket's summary changes the incident's title, which everybody"
        " sees whom it pages from then on; never of a restricted incident.",
    )
