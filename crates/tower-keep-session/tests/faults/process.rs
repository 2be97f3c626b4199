//! The site as a process of its own: this very test program, started again.

use std::{env, net::SocketAddr};

use tokio::net::TcpListener;
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;
use tower_keep_test_support::{Program, RedisServer, eventually};

use crate::{common::LONG, site::site, visitor::Visitor};

/// Killed on drop, as `kill -9` does it.
#[derive(Debug)]
pub(crate) struct Process {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(server: &RedisServer) -> Self {
        let name = "process::a_process_that_runs_the_site";
        let mut program = Program::this(name).env(SERVER, server.url()).start();
        let address = program.says(LISTENS).parse().expect("an address");
        Self { program, address }
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    /// Waits until so many requests wait at its gate.
    pub(crate) async fn holds(&self, many: usize) {
        let many = many.to_string();
        let is_so = async || Visitor::default().get(self.address, "/waiting").await.body == many;
        eventually(LONG, is_so).await;
    }

    /// Lets none go on.
    pub(crate) async fn close(&self) {
        Visitor::default().post(self.address, "/close").await;
    }

    /// Lets them go on.
    pub(crate) async fn open(&self) {
        Visitor::default().post(self.address, "/open").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the others start it"]
#[allow(clippy::print_stdout)]
async fn a_process_that_runs_the_site() {
    let Ok(url) = env::var(SERVER) else {
        return;
    };
    let store = Store::builder().deadline(LONG).connect(&url);
    let layer = SessionLayer::new(store.expect("a good URL"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("the loopback interface has a free port");
    let address = listener.local_addr().expect("it has an address");
    println!("{LISTENS}{address}");
    let served = axum::serve(listener, site(layer)).await;
    served.expect("it runs until it is killed");
}

const SERVER: &str = "KEEP_TEST_SESSIONS_OF";

const LISTENS: &str = "listens on ";
