"""deploy/: whole, and about metrics that are really there."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from millstream.exporters.health import Health, HealthServer
from millstream.exporters.metric_names import METRICS, OTHER
from millstream.exporters.metrics import WorkerMetrics
from millstream.streams.settings_reader import load_settings

DEPLOY: Final = Path(__file__).resolve().parents[1] / "deploy"
NAME: Final = re.compile(r"\b(?:millstream|process)_[a-z0-9_]+")
SELECTOR: Final = re.compile(r"\b(millstream_[a-z0-9_]+)\{([^}]*)\}")
MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
TARGET_LABELS: Final = {"job", "instance", "le"}


def read_yaml(name: str) -> dict[str, object]:
    found = yaml.safe_load((DEPLOY / name).read_text())
    assert isinstance(found, dict)
    return found


def dashboard_expressions() -> Iterator[str]:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/millstream.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["query"]["query"]


def alert_expressions() -> Iterator[str]:
    text = (DEPLOY / "prometheus/alerts.yml").read_text()
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


EXPRESSIONS: Final = sorted({*dashboard_expressions(), *alert_expressions()})


@pytest.fixture(scope="module")
def scraped() -> set[str]:
    """The names of the series that a real scrape of a worker's metrics holds."""
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    with (
        HealthServer("127.0.0.1", 0, registry, lambda: Health(True, True)) as server,
        urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer,
    ):
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {sample.name for family in families for sample in family.samples}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_asked_for_is_in_a_real_scrape(expression: str, scraped: set[str]) -> None:
    names = set(NAME.findall(expression))
    assert names or expression.startswith("up{")
    assert names <= scraped


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_asked_for_is_one_of_the_metric(expression: str) -> None:
    for name, matchers in SELECTOR.findall(expression):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        labels = next(metric.labels for known, metric in METRICS.items() if known == family)
        for label, _, values in MATCHER.findall(matchers):
            if label in TARGET_LABELS:
                continue
            assert label in labels, f"{name} has no label {label}"
            assert set(values.split("|")) <= {*labels[label], OTHER}


def test_the_dashboard_shows_what_it_is_for() -> None:
    asked = " ".join(dashboard_expressions())
    for name in (
        "millstream_list_latency_seconds_bucket",
        "millstream_events_total",
        "millstream_lag_records",
        "millstream_rejects_total",
        "millstream_model_age_seconds",
        "millstream_conflicts_total",
        "millstream_frames_total",
        "millstream_learn_hit_ratio",
        "millstream_learn_drifts_total",
    ):
        assert name in asked


def test_the_dashboard_is_provisioned_from_the_data_source_it_names() -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/millstream.json").read_text())
    source = read_yaml("grafana/provisioning/datasources/prometheus.yml")
    assert f"'uid': '{dashboard['panels'][1]['datasource']['uid']}'" in str(source)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    provider = str(read_yaml("grafana/provisioning/dashboards/millstream.yml"))
    compose = (DEPLOY / "compose.yaml").read_text()
    assert "/var/lib/grafana/dashboards" in provider
    assert "./grafana/dashboards:/var/lib/grafana/dashboards:ro" in compose


def test_every_alert_says_how_bad_it_is_and_what_happens() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_compose_is_whole_and_its_settings_are_understood() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    needed = {"kafka", "redis", "topics", "recommend", "learn", "encode", "prometheus", "grafana"}
    assert set(services) == needed
    for name, service in services.items():
        assert ":" in service["image"] or service["image"] == "millstream", name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for other in service.get("depends_on", []):
            assert other in services
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists()
    environment = services["recommend"]["environment"]
    settings = load_settings(None, environ=environment)
    assert (settings.kafka.bootstrap, settings.metrics.port) == ("kafka:9092", 9464)
    assert (DEPLOY.parent / services["recommend"]["build"]["dockerfile"]).is_file()


def test_prometheus_scrapes_the_workers_where_compose_puts_them() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for job in config["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        assert found["names"] == [job["job_name"]]
        environment = services[job["job_name"]]["environment"]
        assert str(found["port"]) == environment["MILLSTREAM_METRICS_PORT"]
    assert config["rule_files"] == ["alerts.yml"]


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool here: apt-get install prometheus")
    return found


def test_prometheus_itself_accepts_its_configuration(promtool: str) -> None:
    config = DEPLOY / "prometheus" / "prometheus.yml"
    done = subprocess.run(
        [promtool, "check", "config", str(config)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_prometheus_itself_can_read_what_the_dashboard_asks(promtool: str, tmp_path: Path) -> None:
    asked = [e for e in dashboard_expressions() if not e.startswith("label_values")]
    rules = [
        {"record": f"panel:{number}", "expr": e.replace("$__rate_interval", "1m")}
        for number, e in enumerate(asked)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
