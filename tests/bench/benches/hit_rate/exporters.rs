//! Everything that reads, ten times a second, as long as it lives.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use metrics_util::debugging::DebuggingRecorder;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use tower_keep_hit_rate::HitRateHandle;

/// Prometheus, the `metrics` facade, OpenTelemetry and a snapshot, read from a thread of their own.
pub(crate) struct Exporters {
    is_over: Arc<AtomicBool>,
    reader: Option<JoinHandle<u32>>,
}

impl Exporters {
    pub(crate) fn of(handle: HitRateHandle) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let reader = thread::spawn(move || read(&handle, &ends));
        Self {
            is_over,
            reader: Some(reader),
        }
    }
}

impl Drop for Exporters {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let readings = self.reader.take().map(JoinHandle::join);
        let readings = readings.expect("joined once").expect("no panic");
        assert!(readings > 0, "nothing was read meanwhile");
    }
}

fn read(handle: &HitRateHandle, is_over: &AtomicBool) -> u32 {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    handle.observe_with(&provider.meter("bench"));
    let recorder = DebuggingRecorder::new();
    let mut readings = 0;
    while !is_over.load(Ordering::Relaxed) {
        black_box((handle.snapshot(), handle.prometheus()));
        metrics::with_local_recorder(&recorder, || handle.record_metrics());
        provider.force_flush().expect("exports");
        exporter.reset();
        readings += 1;
        thread::sleep(Duration::from_millis(100));
    }
    readings
}
