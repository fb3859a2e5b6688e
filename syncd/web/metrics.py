"""The metrics for Prometheus, gathered at each request. No metric says anything about a single incident.

Counters begin at the daemon's start. Names and labels must stay, because alert rules and a dashboard use them
(`systemd/alerts.yaml`, `systemd/dashboard.json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from syncd import __version__
from syncd.domain.operation import Target
from syncd.engine.context import SERVICES
from syncd.engine.runtime.read_lag import BULK, INDEX
from syncd.engine.status import DaemonStatus
from syncd.ledger.views.daemon_state import measures
from syncd.web.source import Source

TICKET_BUCKETS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0)
LAG_BUCKETS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class Metrics(Collector):
    """All metrics; `started` is the start of this run of the daemon."""

    def __init__(self, source: Source, started: datetime) -> None:
        self._source = source
        self._started = started
        self.registry = CollectorRegistry()
        self._lags = {
            INDEX: self._lag("syncd_index_lag_seconds", "Until Jira's search shows what we made, at most."),
            BULK: self._lag("syncd_bulk_lag_seconds", "Until a bulk read shows what we made, at most."),
        }
        self.registry.register(self)

    def _lag(self, name: str, words: str) -> Histogram:
        return Histogram(name, words, buckets=LAG_BUCKETS, registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        for read_path, histogram in self._lags.items():
            for delay in self._source.context.read_lags.take(read_path):
                histogram.observe(delay)
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Any]:
        """Yield the daemon's figures."""
        daemon_status = self._source.daemon_status()
        yield _gauge("syncd_info", "The version that runs.", "version", {__version__: 1})
        leads = self._source.may_not_write() is None
        yield GaugeMetricFamily("syncd_leader", "Whether this daemon leads its ledger.", value=float(leads))
        yield from self._cycles(daemon_status)
        yield from self._requests()
        yield from self._operations(daemon_status)
        yield from self._from_ledger()
        webhooks, help_text = self._source.receiver.counts(), "Webhooks by what became of them."
        yield _counter("syncd_webhooks", help_text, ("source", "outcome"), webhooks.items())

    def _cycles(self, daemon_status: DaemonStatus) -> Iterator[Family]:
        now = self._source.context.clock.now()
        ages = {
            side: (now - daemon_status.good.get(side, self._started)).total_seconds() for side in SERVICES
        }
        words = "Since the last good read of a side, or since the start where there was none."
        yield _gauge("syncd_cycle_age_seconds", words, "side", ages)
        cycles = self._source.context.watchdog.cycles
        yield CounterMetricFamily("syncd_cycles", "Cycles that came to their end.", value=cycles)
        down = {side: side in daemon_status.down for side in SERVICES}
        yield _gauge("syncd_service_down", "Whether a service cannot be used.", "service", down)
        refusing = self._source.refused()
        refused = {side: side in refusing for side in SERVICES}
        words = "Whether a service refuses our credentials."
        yield _gauge("syncd_credential_refused", words, "service", refused)
        words = "Until a credential expires, where that is set."
        yield _gauge("syncd_credential_days_left", words, "service", self._source.expiring())

    def _requests(self) -> Iterator[Family]:
        counts: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        for asked, tally in self._source.context.transport.counts.snapshot().items():
            key = (asked.service, asked.outcome)
            counts[key] = counts.get(key, 0) + tally.requests
            seconds[asked.service,] = seconds.get((asked.service,), 0) + tally.seconds
        words = "Requests by service and outcome."
        yield _counter("syncd_requests", words, ("service", "outcome"), counts.items())
        words = "Seconds spent in requests."
        yield _counter("syncd_request_seconds", words, ("service",), seconds.items())

    def _operations(self, daemon_status: DaemonStatus) -> Iterator[Family]:
        yield _gauge("syncd_operations", "Operations by state.", "state", daemon_status.operations)
        oldest, now = daemon_status.oldest_waiting, self._source.context.clock.now()
        age = (now - oldest).total_seconds() if oldest else 0.0
        words = "Age of the oldest operation that waits."
        yield GaugeMetricFamily("syncd_oldest_waiting_seconds", words, value=age)
        incidents = daemon_status.open_incidents
        yield GaugeMetricFamily("syncd_open_incidents", "Incidents that are open.", value=incidents)
        # a series that is 0 while nothing is paused: an alert on it must not lack data
        paused = {str(target): target in daemon_status.paused for target in Target}
        yield _gauge("syncd_paused", "What people have paused.", "target", paused)
        words = "Whether decided writes wait for a release or an acceptance."
        yield GaugeMetricFamily("syncd_held", words, value=int(daemon_status.held))

    def _from_ledger(self) -> Iterator[Family]:
        measured = measures(self._source.context.ledger, self._started)
        delays = measured.ticket_delays
        delay = HistogramMetricFamily("syncd_ticket_delay_seconds", "From an incident to its ticket.")
        delay.add_metric([], _buckets(delays, TICKET_BUCKETS), sum(delays))
        yield delay
        yield _gauge("syncd_duties", "Duties by state.", "state", measured.duties)
        words = "Duplicates that the nightly search has found."
        yield GaugeMetricFamily("syncd_duplicates_found", words, value=measured.doubles_found)
        words = "Duplicates that wait for a person."
        yield GaugeMetricFamily("syncd_duplicates_left", words, value=measured.doubles_left)


def _gauge(name: str, words: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, number in values.items():
        family.add_metric([key], float(number))
    return family


def _counter(
    name: str, words: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=labels)
    for key, number in values:
        family.add_metric(key, number)
    return family


def _buckets(values: Sequence[float], limits: Sequence[float]) -> list[tuple[str, float]]:
    """Return how many values are at most each limit: Prometheus' buckets are cumulative."""
    buckets = [(str(limit), float(sum(value <= limit for value in values))) for limit in limits]
    return [*buckets, ("+Inf", float(len(values)))]
