//! Who serves and who asks.

use tokio::runtime::{Builder, Runtime};

/// One thread for the servers, one for the clients: what is measured is what one thread can serve.
pub(crate) struct Threads {
    pub(crate) servers: Runtime,
    pub(crate) clients: Runtime,
}

impl Threads {
    pub(crate) fn new() -> Self {
        let one = || {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).enable_all();
            builder.build().expect("a runtime")
        };
        Self {
            servers: one(),
            clients: one(),
        }
    }

    /// Seconds that the servers' thread has worked; not a number where the system does not tell.
    pub(crate) fn server_time(&self) -> f64 {
        let asking = self.servers.spawn(async {
            let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
            times.split(' ').next()?.parse::<f64>().ok()
        });
        let nanos = self.servers.block_on(asking).expect("it does not panic");
        nanos.map_or(f64::NAN, |nanos| nanos / 1e9)
    }
}
