//! The line in the log.

use crate::{class::Class, ledger::Ledger, rules::Rules, windows::Window};

/// Tells how a class did in the last five minutes. A figure that nothing was counted for is left out.
pub(crate) fn write(class: &Class, now: u64, rules: &Rules) {
    let span = class.read(Window::FiveMinutes, now);
    let ledger = Ledger::of(&span);
    let counts = span.counts;
    tracing::info!(
        class = class.label(),
        lookups = counts.lookups(),
        hits = counts.hits(),
        hit_rate = counts.hit_rate().map(short),
        offload = counts.offload().map(short),
        saved_ms_per_second = short(ledger.saved_ms_per_second),
        verdict = class.verdict(now, rules).as_str(),
        "hit rate of the last five minutes"
    );
}

/// For people: three digits after the point.
fn short(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
