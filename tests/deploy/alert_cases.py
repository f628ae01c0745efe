"""Cases of every alert for `promtool test rules`: the series of its fault, and series of a system without any fault.

`python -m tests.deploy.alert_cases` runs them; Debian's package `prometheus` has promtool.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from cli.plan import PARTS
from tests.deploy.rules import DEPLOY, alerts

MINUTES = 120
RULE_FILES = [DEPLOY / "prometheus" / name for name in ("alerts.yml", "servers.yml")]
MEASURED = [part.name for part in PARTS if part.measured]
Series = dict[str, str]


def _steady(value: float) -> str:
    return f"{value}x{MINUTES}"


def _rising(a_minute: float) -> str:
    return f"0+{a_minute}x{MINUTES}"


def _attempts(effect: str, outcome: str) -> str:
    return f'tutelage_delivery_duration_seconds_count{{job="tutelage",effect="{effect}",outcome="{outcome}"}}'


def _slow(metric: str, labels: str = "") -> Series:
    """A histogram nearly all of whose observations are between 1 and 10."""
    return _histogram(metric, labels, {"1": 1, "10": 100, "+Inf": 100})


def _histogram(metric: str, labels: str, buckets: dict[str, float]) -> Series:
    return {f'{metric}_bucket{{job="tutelage"{labels},le="{le}"}}': _rising(count) for le, count in buckets.items()}


def _part(name: str) -> str:
    return f'tutelage_build_info{{job="tutelage",process="{name}"}}'


_UP, _DISK = 'up{job="tutelage",instance="a"}', 'job="machine",instance="a",fstype="ext4",mountpoint="/data"'
_REFUSED = 'tutelage_refusals_total{job="tutelage",code="forbidden"}'
_STEPS = 'tutelage_refused_transitions_total{job="tutelage",machine="session",from="completed",to="completed"}'
_REQUESTS = 'tutelage_http_requests_total{job="tutelage",status="%s"}'
_VISITS = 'tutelage_component_visits_total{job="tutelage",variant="basic"}'
_STREAMS = 'tutelage_component_stream_seconds_total{job="tutelage",state="%s"}'
_ANSWERS, _ROUTE = "tutelage_http_request_duration_seconds", ',route="/me"'
_FIRST_SLOT, _BASIC = "tutelage_component_first_slot_seconds", ',variant="basic"'
_BACKUP = "backup_last_success_timestamp_seconds"

# All is well: no alert fires for these.
HEALTHY: Series = {
    _UP: _steady(1),
    **{_part(name): _steady(1) for name in MEASURED},
    _REQUESTS % 200: _rising(600),
    _REQUESTS % 503: _rising(1),
    **_histogram(_ANSWERS, _ROUTE, {"1": 100, "10": 100, "+Inf": 100}),
    **_histogram("tutelage_stream_lag_seconds", "", {"1": 100, "10": 100, "+Inf": 100}),
    _REFUSED: _rising(6),
    _STEPS: _rising(6),
    **{
        f'tutelage_deliveries_oldest_{kind}_age_seconds{{job="tutelage",queue="{queue}"}}': _steady(3)
        for kind in ("due", "undelivered")
        for queue in ("notifications", "webhooks")
    },
    'tutelage_invariant_violations{job="tutelage",invariant="dead_delivery"}': _steady(0),
    'tutelage_invariant_violations{job="tutelage",invariant="mentor_busy_twice"}': _steady(0),
    'tutelage_queue_length{job="tutelage",queue="sessions"}': _steady(20),
    'tutelage_nudges_total{job="tutelage",outcome="dropped"}': _steady(4),
    **{_attempts(effect, "done"): _rising(100) for effect in ("mail.send", "webhooks.send")},
    **{_attempts(effect, "retry"): _rising(3) for effect in ("mail.send", "webhooks.send")},
    # One endpoint is away, and its messages are put off again and again.
    _attempts("webhooks.send", "postponed"): _rising(1000),
    'tutelage_events_total{job="tutelage",type="booking.accepted"}': _rising(5),
    'tutelage_sweep_runs_total{job="tutelage",outcome="ok"}': _rising(60),
    'tutelage_maintain_chores_total{job="tutelage",chore="fill gaps",outcome="ok"}': _rising(2),
    'tutelage_audit_problems_total{job="tutelage"}': _steady(0),
    'tutelage_audit_unchained_age_seconds{job="tutelage"}': _steady(20),
    'tutelage_database_connections_in_use{job="tutelage",instance="a",process="api"}': _steady(3),
    'tutelage_database_connections_most{job="tutelage",instance="a",process="api"}': _steady(10),
    _VISITS: _rising(10),
    'tutelage_component_errors_total{job="tutelage",variant="basic",kind="server"}': _rising(0.1),
    **_histogram(_FIRST_SLOT, _BASIC, {"1": 10, "10": 10, "+Inf": 10}),
    _STREAMS % "connected": _rising(600),
    _STREAMS % "disconnected": _rising(6),
    'pg_up{job="postgresql",instance="a"}': _steady(1),
    'pg_stat_database_numbackends{job="postgresql",instance="a",datname="tutelage"}': _steady(40),
    'pg_settings_max_connections{job="postgresql",instance="a"}': _steady(200),
    'pg_stat_activity_max_tx_duration{job="postgresql",instance="a",state="active"}': _steady(2),
    'pg_replication_lag_seconds{job="postgresql",instance="b"}': _steady(1),
    _BACKUP: _steady(0),
    'redis_up{job="valkey",instance="a"}': _steady(1),
    'redis_memory_used_bytes{job="valkey",instance="a"}': _steady(10),
    'redis_memory_max_bytes{job="valkey",instance="a"}': _steady(100),
    'redis_connected_clients{job="valkey",instance="a"}': _steady(50),
    'redis_config_maxclients{job="valkey",instance="a"}': _steady(10000),
    'redis_master_link_up{job="valkey",instance="b"}': _steady(1),
    f"node_filesystem_avail_bytes{{{_DISK}}}": _steady(50),
    f"node_filesystem_size_bytes{{{_DISK}}}": _steady(100),
}

# What is different while each alert has to fire; None: the series is gone.
FAULTS: dict[str, dict[str, str | None]] = {
    "TutelageTargetDown": {_UP: _steady(0)},
    "TutelageGone": {_UP: None},
    **{f"TutelagePartMissing {name}": {_part(name): None} for name in MEASURED},
    "TutelageApiFailing": {_REQUESTS % 503: _rising(60)},
    "TutelageApiSlow": {**_slow(_ANSWERS, _ROUTE)},
    # Far more than in the hours before.
    "TutelageAccessRefused": {_REFUSED: f"0+6x{MINUTES - 10} {6 * MINUTES}+300x10"},
    "TutelageTransitionsRefused": {_STEPS: f"0+6x{MINUTES - 10} {6 * MINUTES}+300x10"},
    "TutelageStreamsLate": {**_slow("tutelage_stream_lag_seconds")},
    "TutelageDeliveriesLate": {
        'tutelage_deliveries_oldest_due_age_seconds{job="tutelage",queue="notifications"}': _steady(300)
    },
    "TutelageDeliveriesDead": {'tutelage_invariant_violations{job="tutelage",invariant="dead_delivery"}': _steady(2)},
    "TutelageQueueLong": {'tutelage_queue_length{job="tutelage",queue="sessions"}': _steady(5000)},
    "TutelageNudgesDropped": {'tutelage_nudges_total{job="tutelage",outcome="dropped"}': _rising(10)},
    "TutelageMailFailing": {_attempts("mail.send", "retry"): _rising(60)},
    "TutelageMailAway": {
        _attempts("mail.send", "done"): None,
        _attempts("mail.send", "postponed"): _rising(60),
    },
    # All attempts fail, beside a hundred times as many postponements.
    "TutelageWebhooksFailing": {
        _attempts("webhooks.send", "done"): None,
        _attempts("webhooks.send", "postponed"): _rising(300),
    },
    "TutelageWebhooksAway": {_attempts("webhooks.send", "done"): None},
    "TutelageMessagesUndelivered": {
        'tutelage_deliveries_oldest_undelivered_age_seconds{job="tutelage",queue="webhooks"}': _steady(100_000)
    },
    "TutelageEndpointDisabled": {
        'tutelage_events_total{job="tutelage",type="webhook_endpoint.disabled"}': f"_x{MINUTES - 10} 1x10"
    },
    "TutelageInvariantViolated": {
        'tutelage_invariant_violations{job="tutelage",invariant="mentor_busy_twice"}': _steady(1)
    },
    "TutelageSweepNotRunning": {'tutelage_sweep_runs_total{job="tutelage",outcome="ok"}': _steady(500)},
    "TutelageMaintainNotRunning": {
        'tutelage_maintain_chores_total{job="tutelage",chore="fill gaps",outcome="ok"}': _steady(9)
    },
    "TutelageChoreFailing": {
        'tutelage_maintain_chores_total{job="tutelage",chore="fill gaps",outcome="trouble"}': _rising(2)
    },
    "TutelageAuditTampered": {'tutelage_audit_problems_total{job="tutelage"}': f"0x{MINUTES - 10} 1x10"},
    "TutelageAuditNotChained": {'tutelage_audit_unchained_age_seconds{job="tutelage"}': _steady(2000)},
    "TutelageConnectionsUsedUp": {
        'tutelage_database_connections_in_use{job="tutelage",instance="a",process="api"}': _steady(10)
    },
    "TutelageComponentFailing": {
        'tutelage_component_errors_total{job="tutelage",variant="basic",kind="server"}': _rising(3)
    },
    "TutelageComponentSlow": {**_histogram(_FIRST_SLOT, _BASIC, {"1": 1, "10": 10, "+Inf": 10})},
    "TutelageComponentWithoutStreams": {_STREAMS % "disconnected": _rising(600)},
    "TutelagePostgresqlDown": {'pg_up{job="postgresql",instance="a"}': _steady(0)},
    "TutelagePostgresqlConnections": {
        'pg_stat_database_numbackends{job="postgresql",instance="a",datname="tutelage"}': _steady(190)
    },
    "TutelagePostgresqlTransactionOld": {
        'pg_stat_activity_max_tx_duration{job="postgresql",instance="a",state="active"}': _steady(3600)
    },
    "TutelagePostgresqlReplicaBehind": {'pg_replication_lag_seconds{job="postgresql",instance="b"}': _steady(500)},
    "TutelageBackupOld": {_BACKUP: _steady(-100_000)},
    "TutelageValkeyDown": {'redis_up{job="valkey",instance="a"}': None},
    "TutelageValkeyMemory": {'redis_memory_used_bytes{job="valkey",instance="a"}': _steady(95)},
    "TutelageValkeyConnections": {'redis_connected_clients{job="valkey",instance="a"}': _steady(9500)},
    "TutelageValkeyReplicaCut": {'redis_master_link_up{job="valkey",instance="b"}': _steady(0)},
    "TutelageDiskFilling": {f"node_filesystem_avail_bytes{{{_DISK}}}": _steady(10)},
    "TutelageDiskFull": {f"node_filesystem_avail_bytes{{{_DISK}}}": _steady(2)},
}


def _case(name: str, series: dict[str, str | None], expected: dict[str, int]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items() if values is not None],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": f"{MINUTES - 2}m",
                "exp_samples": [{"labels": "{}", "value": count}] if count else [],
            }
            for alert, count in expected.items()
        ],
    }


def documents() -> list[dict[str, Any]]:
    """The files that promtool reads: each alert fires once for its fault, and none without a fault.

    A file names its rules. Beside a fault, these are the alert's own alone: all rules for each fault would take six
    times as long.
    """
    rules = alerts()
    quiet = _case("no fault", dict(HEALTHY), {rule["alert"]: 0 for rule in rules})
    files = [_file([str(path) for path in RULE_FILES], [quiet])]
    for rule in rules:
        alert = rule["alert"]
        found = {name: changes for name, changes in FAULTS.items() if name.split()[0] == alert}
        cases = [_case(name, {**HEALTHY, **changes}, {alert: 1}) for name, changes in found.items()]
        files.append(_file([f"{alert}.rules.yml"], cases))
    return files


def _file(rule_files: list[str], tests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rule_files": rule_files, "evaluation_interval": "1m", "tests": tests}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rule in alerts():
            alone = {"groups": [{"name": rule["alert"], "rules": [rule]}]}
            (folder / f"{rule['alert']}.rules.yml").write_text(yaml.safe_dump(alone))
        paths = []
        for number, document in enumerate(documents()):
            paths.append(str(folder / f"{number}.yml"))
            Path(paths[-1]).write_text(yaml.safe_dump(document, sort_keys=False))
        return subprocess.run(["promtool", "test", "rules", *paths], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
