//! Prometheus' text format, version 0.0.4.

use std::fmt::{self, Write};

use crate::{
    export::{
        catalog::METRICS,
        metric::{Metric, MetricKind, Sample, Value},
        reading::Reading,
    },
    monitor::Monitor,
};

/// Everything that is counted.
pub(crate) fn text(monitor: &Monitor) -> String {
    let reading = Reading::take(monitor);
    let mut text = String::new();
    for metric in &METRICS {
        write(&mut text, metric, &reading).expect("a string takes everything");
    }
    text
}

fn write(text: &mut String, metric: &Metric, reading: &Reading<'_>) -> fmt::Result {
    let Metric { name, help, .. } = metric;
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} {kind}")?;
    let mut written = Ok(());
    reading.tell(metric, &mut |told| {
        written = written.and_then(|()| sample(text, name, &told));
    });
    written
}

fn sample(text: &mut String, name: &str, sample: &Sample<'_>) -> fmt::Result {
    write!(text, "{name}{}", sample.suffix)?;
    let mut before = '{';
    for (label, value) in sample.labels {
        write!(text, "{before}{label}=\"{}\"", Escaped(value))?;
        before = ',';
    }
    if !sample.labels.is_empty() {
        text.push('}');
    }
    match sample.value {
        Value::Count(count) => writeln!(text, " {count}"),
        Value::Nanos(nanos) => writeln!(text, " {}", Seconds(nanos)),
    }
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
