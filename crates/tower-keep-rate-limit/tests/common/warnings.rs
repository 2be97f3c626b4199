//! What is warned of.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{Event, Level, Metadata, Subscriber, field::Field, span};

/// Writes down warnings.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<String>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().expect("whole");
        event.record(&mut |field: &Field, value: &dyn fmt::Debug| {
            *text += &format!("{field}={value:?} ");
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Warnings {
    pub(crate) fn text(&self) -> String {
        self.0.lock().expect("whole").clone()
    }
}
