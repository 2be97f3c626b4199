//! Prometheus' text format, version 0.0.4.

use std::fmt::{self, Write};

use tower_keep_store::{Evictions, Level};

use crate::{
    class::Class,
    counts::{Counts, Figure, OUTCOMES},
    histogram::Histogram,
    monitor::Monitor,
    windows::Window,
};

/// Everything that is counted. Counts are read once for each class, so that they agree with each other.
pub(crate) fn text(monitor: &Monitor) -> String {
    let now = monitor.ticker.now();
    let classes: Vec<_> = monitor
        .classes
        .all()
        .map(|class| (class, class.read(Window::Start, now).counts))
        .collect();
    let mut text = String::new();
    let written = counters(&mut text, &classes)
        .and_then(|()| durations(&mut text, &classes))
        .and_then(|()| evictions(&mut text, &monitor.evictions))
        .and_then(|()| gauges(&mut text, monitor, classes.len()));
    written.expect("a string takes everything");
    text
}

type Read<'a> = [(&'a Class, Counts)];

fn counters(text: &mut String, classes: &Read<'_>) -> fmt::Result {
    family(
        text,
        "requests_total",
        "counter",
        "Requests, and lookups of other kinds, by what became of them.",
    )?;
    for (class, counts) in classes {
        for outcome in OUTCOMES {
            let label = ("outcome", outcome.as_str());
            sample(text, "requests_total", class, label, counts.of(outcome))?;
        }
    }
    for (name, help, label, figures) in FAMILIES {
        family(text, name, "counter", help)?;
        for (class, counts) in classes {
            for (value, figure) in figures {
                sample(text, name, class, (label, value), counts.get(*figure))?;
            }
        }
    }
    let name = "origin_avoided_seconds_total";
    let help = "What the origin would have taken for hits.";
    family(text, name, "counter", help)?;
    for (class, counts) in classes {
        let value = Seconds(counts.get(Figure::Avoided));
        writeln!(text, "{PREFIX}{name}{{{}}} {value}", Labels(class))?;
    }
    for (name, help, figure) in PLAIN {
        family(text, name, "counter", help)?;
        for (class, counts) in classes {
            let value = counts.get(figure);
            writeln!(text, "{PREFIX}{name}{{{}}} {value}", Labels(class))?;
        }
    }
    Ok(())
}

fn durations(text: &mut String, classes: &Read<'_>) -> fmt::Result {
    let help =
        "How long requests took to the end of the body, by who answered. Origin: misses too.";
    family(text, DURATION, "histogram", help)?;
    for (class, counts) in classes {
        let of = &class.latencies;
        for (answer, histogram, sum) in [
            ("hit", &of.hit, Figure::HitTime),
            ("collapsed", &of.collapsed, Figure::CollapsedTime),
            ("miss", &of.miss, Figure::MissTime),
            ("origin", &of.origin, Figure::OriginTime),
        ] {
            duration(text, class, answer, histogram, counts.get(sum))?;
        }
    }
    Ok(())
}

fn duration(
    text: &mut String,
    class: &Class,
    answer: &str,
    histogram: &Histogram,
    sum: u64,
) -> fmt::Result {
    let labels = format!("{},answer=\"{answer}\"", Labels(class));
    let bounds = BUCKETS.map(|micros| micros * 1000);
    // The count is read last: it is never less than a bucket.
    let counts = histogram.at_most(bounds);
    for (bound, count) in bounds.into_iter().zip(counts) {
        let bound = Seconds(bound);
        writeln!(
            text,
            "{PREFIX}{DURATION}_bucket{{{labels},le=\"{bound}\"}} {count}"
        )?;
    }
    let count = histogram.count();
    writeln!(
        text,
        "{PREFIX}{DURATION}_bucket{{{labels},le=\"+Inf\"}} {count}"
    )?;
    writeln!(text, "{PREFIX}{DURATION}_sum{{{labels}}} {}", Seconds(sum))?;
    writeln!(text, "{PREFIX}{DURATION}_count{{{labels}}} {count}")
}

fn evictions(text: &mut String, evictions: &Evictions) -> fmt::Result {
    let name = "evictions_total";
    let help = "Entries that this process let go, by level and why.";
    family(text, name, "counter", help)?;
    for level in Level::ALL {
        let gone = [
            ("evicted", evictions.evicted(level)),
            ("expired", evictions.expired(level)),
        ];
        let level = level.as_str();
        for (reason, count) in gone {
            writeln!(
                text,
                "{PREFIX}{name}{{level=\"{level}\",reason=\"{reason}\"}} {count}"
            )?;
        }
    }
    Ok(())
}

fn gauges(text: &mut String, monitor: &Monitor, classes: usize) -> fmt::Result {
    let (_, in_flight) = monitor.requests();
    family(
        text,
        "requests_in_flight",
        "gauge",
        "Requests whose answer is not over.",
    )?;
    writeln!(text, "{PREFIX}requests_in_flight {in_flight}")?;
    family(text, "classes", "gauge", "Classes that were seen, of 256.")?;
    writeln!(text, "{PREFIX}classes {classes}")
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {PREFIX}{name} {help}")?;
    writeln!(text, "# TYPE {PREFIX}{name} {kind}")
}

fn sample(
    text: &mut String,
    name: &str,
    class: &Class,
    (label, value): (&str, &str),
    count: u64,
) -> fmt::Result {
    let labels = Labels(class);
    writeln!(
        text,
        "{PREFIX}{name}{{{labels},{label}=\"{value}\"}} {count}"
    )
}

/// Nanoseconds, told as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let digits = format!("{whole}.{rest:09}");
        f.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What tells a class from all others.
struct Labels<'a>(&'a Class);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, kind) = (Escaped(self.0.label()), self.0.kind());
        write!(f, "class=\"{label}\",kind=\"{kind}\"")
    }
}

/// The value of a label: a backslash, a quote and the end of a line would end it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

type Family = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, Figure)],
);

/// Counters that have no labels but those of the class.
const PLAIN: [(&str, &str, Figure); 2] = [
    (
        "origin_calls_total",
        "Calls of the origin, those in the background included.",
        Figure::OriginCalls,
    ),
    (
        "misses_not_stored_total",
        "Misses of which the response may not be stored, or could not be.",
        Figure::Unstored,
    ),
];

const FAMILIES: [Family; 2] = [
    (
        "response_bytes_total",
        "Bytes of bodies, by where they came from.",
        "source",
        &[
            ("cache", Figure::CacheBytes),
            ("origin", Figure::OriginBytes),
        ],
    ),
    (
        "bodies_unfinished_total",
        "Bodies that did not go out as a whole, by why.",
        "reason",
        &[("abandoned", Figure::Abandoned), ("broken", Figure::Broken)],
    ),
];

const PREFIX: &str = "tower_keep_";
const DURATION: &str = "request_duration_seconds";

/// Upper bounds, in microseconds.
const BUCKETS: [u64; 18] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_in_full() {
        assert_eq!(Seconds(50_000).to_string(), "0.00005");
        assert_eq!(Seconds(2_500_000_000).to_string(), "2.5");
        assert_eq!(Seconds(0).to_string(), "0");
        assert_eq!(Seconds(10_000_000_000).to_string(), "10");
    }

    #[test]
    fn a_label_cannot_end_its_value() {
        assert_eq!(Escaped("a\"} 1\n\\").to_string(), "a\\\"} 1\\n\\\\");
    }
}
