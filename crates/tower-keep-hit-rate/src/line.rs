//! The line in the log.

use crate::{class::Class, figures::WindowSnapshot, rules::Rules, windows::Window};

/// Tells how a class did in the last five minutes. A figure that nothing was counted for is left out.
pub(crate) fn write(class: &Class, now: u64, rules: &Rules) {
    let kind = class.kind();
    let of = WindowSnapshot::of(&class.read(Window::FiveMinutes, now)).of_kind(kind);
    let saved = kind.is_cache().then_some(of.ledger.saved_ms_per_second);
    tracing::info!(
        kind = kind.as_str(),
        class = class.label(),
        lookups = of.lookups,
        hits = of.outcomes.hit + of.outcomes.stale,
        hit_rate = of.hit_rate.map(short),
        offload = of.offload.map(short),
        saved_ms_per_second = saved.map(short),
        verdict = class.verdict(now, rules).as_str(),
        "hit rate of the last five minutes"
    );
}

/// For people: three digits after the point.
fn short(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
