//! The dashboard, the rules and the text for Prometheus fit each other.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tower::Layer;
use tower_keep_store::Outcome;

use crate::common::{
    MILLI, Scripted, ask, by_segment, place,
    promtool::{promtool, promtool_agrees},
    told,
};

const DASHBOARD: &str = include_str!("../grafana/dashboard.json");
const RULES: &str = include_str!("../prometheus/rules.yml");
const RULES_AT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus/");

/// The text of a monitor that has seen each outcome, and labels that are hard to write.
async fn text() -> String {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    for path in ["/jobs/1", "/a\"b/1", "/über/1", "/other/1"] {
        for outcome in [
            Outcome::Miss,
            Outcome::Hit,
            Outcome::Stale,
            Outcome::Revalidated,
            Outcome::Collapsed,
            Outcome::Bypass,
            Outcome::Error,
            Outcome::Rejected,
            Outcome::Cancelled,
        ] {
            ask(&mut service, told(path, outcome, MILLI)).await;
        }
    }
    handle.prometheus()
}

/// The values of each label of each series name, and to which metric the name belongs.
struct Known {
    series: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    metrics: BTreeSet<String>,
}

impl Known {
    fn of(text: &str) -> Self {
        let types = text.lines().filter_map(|it| it.strip_prefix("# TYPE "));
        let metrics = types.map(|it| it.split(' ').next().expect("a name").to_owned());
        let mut series: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
        for name in common::scraped(text).into_keys() {
            let (name, labels) = name.split_once('{').expect("labels");
            let of = series.entry(name.to_owned()).or_default();
            for label in labels.trim_end_matches('}').split_terminator(',') {
                let (label, value) = label.split_once('=').expect("a value");
                let values = of.entry(label.to_owned()).or_default();
                values.insert(value.to_owned());
            }
            // What a scrape adds.
            for label in ["job", "instance"] {
                of.entry(label.to_owned()).or_default();
            }
        }
        Self {
            series,
            metrics: metrics.collect(),
        }
    }

    fn metric_of(&self, series: &str) -> &str {
        let ends = ["", "_bucket", "_sum", "_count"].iter();
        let mut bases = ends.filter_map(|end| series.strip_suffix(end));
        let base = bases.find_map(|base| self.metrics.get(base));
        base.unwrap_or_else(|| panic!("there is no metric {series}"))
    }

    /// Panics if an expression asks for what there is not; the metrics that it reads.
    fn check(&self, expression: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        for (name, matchers) in selectors(expression) {
            let labels = self.series.get(name);
            let labels = labels.unwrap_or_else(|| panic!("no series {name}: {expression}"));
            seen.insert(self.metric_of(name));
            for (label, value) in matchers {
                let known = labels.get(label);
                let known = known.unwrap_or_else(|| panic!("{name} has no label {label}"));
                let is_free = value.contains('$') || ["job", "instance", "kind"].contains(&label);
                let mut values = value.split('|');
                let is_known = is_free || values.all(|value| known.contains(value));
                assert!(is_known, "{name} is never {label}={value}");
            }
        }
        seen
    }
}

/// The series that an expression names, each with its matchers. What rules record has a colon in its name.
fn selectors(expression: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let found = expression
        .match_indices("tower_keep")
        .filter_map(|(at, _)| {
            let rest = &expression[at..];
            let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            let matchers = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
            let matchers = matchers.map_or("", |(matchers, _)| matchers);
            (!name.contains(':'))
                .then(|| (name, matchers.split_terminator(", ").map(matcher).collect()))
        });
    found.collect()
}

fn matcher(text: &str) -> (&str, &str) {
    let (label, value) = text.split_once(['=', '!']).expect("a matcher");
    (
        label,
        value.trim_start_matches(['=', '~']).trim_matches('"'),
    )
}

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("is JSON")
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("panels")
}

fn expressions(panel: &Value) -> impl Iterator<Item = &str> {
    let targets = panel["targets"].as_array().expect("targets").iter();
    targets.map(|target| target["expr"].as_str().expect("an expression"))
}

#[tokio::test]
async fn every_metric_has_a_panel_and_every_panel_a_metric() {
    let text = text().await;
    let known = Known::of(&text);
    let dashboard = dashboard();
    let mut shown = BTreeSet::new();
    for panel in panels(&dashboard) {
        for expression in expressions(panel) {
            let metrics = known.check(expression);
            assert!(!metrics.is_empty(), "{}: {expression}", panel["title"]);
            shown.extend(metrics);
        }
    }
    let all: BTreeSet<_> = known.metrics.iter().map(String::as_str).collect();
    assert_eq!(shown, all);
    for variable in dashboard["templating"]["list"].as_array().expect("a list") {
        if let Some(definition) = variable["definition"].as_str() {
            assert!(!known.check(definition).is_empty(), "{definition}");
        }
    }
}

#[test]
fn panels_are_laid_out_side_by_side_and_say_what_they_show() {
    let dashboard = dashboard();
    let (mut taken, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        for text in [
            title,
            &panel["description"],
            &panel["fieldConfig"]["defaults"]["unit"],
        ] {
            assert_ne!(text.as_str().expect("a text"), "", "{title}");
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        let place = ["x", "y", "w", "h"].map(|it| panel["gridPos"][it].as_u64().expect("a number"));
        let [x, y, w, h] = place;
        assert!(x + w <= 24, "{title}");
        for at in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(at), "{title} lies on another panel");
        }
    }
}

/// As the expressions of a rule each, as that is what `promtool` reads.
#[test]
fn promtool_reads_every_expression_of_the_dashboard() {
    let dashboard = dashboard();
    let all = panels(&dashboard).iter().flat_map(expressions);
    let rule = |(number, expression): (usize, &str)| {
        let expression = expression.replace("$__rate_interval", "5m");
        json!({ "record": format!("panel_{number}"), "expr": expression })
    };
    let rules: Vec<_> = all.enumerate().map(rule).collect();
    let groups = json!({ "groups": [{ "name": "panels", "rules": rules }] });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), groups.to_string()).expect("is written");
    let path = file.path().to_str().expect("a path");
    promtool_agrees(&["check", "rules", path], "");
}

#[tokio::test]
async fn rules_are_of_metrics_that_there_are() {
    let text = text().await;
    let lines = RULES
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let rules: Vec<_> = lines
        .filter(|line| !line.contains("name: tower_keep"))
        .collect();
    let read = Known::of(&text);
    let read = read.check(&rules.join("\n")).len();
    assert!(read >= 6, "{read}");
}

/// Each alert when it is due, and silent when there is too little to tell, or too early.
#[test]
fn alerts_are_raised_when_they_are_due() {
    promtool_agrees(&["check", "rules", &format!("{RULES_AT}rules.yml")], "");
    promtool_agrees(&["test", "rules", &format!("{RULES_AT}rules_test.yml")], "");
}

#[test]
fn each_alert_is_tested() {
    let tests = std::fs::read_to_string(format!("{RULES_AT}rules_test.yml")).expect("a file");
    for line in RULES.lines() {
        let Some((_, alert)) = line.split_once("- alert: ") else {
            continue;
        };
        let cases = tests.split("alertname: ").skip(1);
        let cases: Vec<_> = cases.filter(|case| case.starts_with(alert)).collect();
        let fires = cases.iter().any(|case| case.contains("- exp_labels"));
        let is_silent = cases.iter().any(|case| case.contains("exp_alerts: []"));
        assert!(fires && is_silent, "{alert}");
    }
}

#[tokio::test]
async fn promtool_finds_nothing_to_complain_of() {
    let text = text().await;
    let Some(output) = promtool(&["check", "metrics"], &text) else {
        return;
    };
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "", "{text}");
    assert!(output.status.success());
}

/// What it would complain of is not what it overlooks.
#[test]
fn promtool_complains_of_what_is_wrong() {
    let text = "# TYPE tower_keep_hits counter\ntower_keep_hits 1\n";
    if let Some(output) = promtool(&["check", "metrics"], text) {
        assert!(!output.status.success());
    }
}
