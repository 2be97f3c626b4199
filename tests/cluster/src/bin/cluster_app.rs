//! One process of the application; see the library.

use clap::Parser;
use tower_keep_cluster::app;

fn main() {
    // Nobody's child any more: it ends with who started it, however that ended.
    std::thread::spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(app::run(app::Options::parse()));
}
