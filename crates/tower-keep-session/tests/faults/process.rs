//! The site as a process of its own: this very test program, started again.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tokio::net::TcpListener;
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{common::LONG, site::site, visitor::Visitor};

/// Killed on drop, as `kill -9` does it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(server: &RedisServer) -> Self {
        let name = "process::a_process_that_runs_the_site";
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args([name, "--exact", "--ignored", "--nocapture"])
            .env(SERVER, server.url())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let lines = said.lines().map(|line| line.expect("text"));
        let address = lines
            .filter_map(|line| line.split_once(LISTENS)?.1.parse().ok())
            .next()
            .expect("it ended at its start");
        Self { child, address }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
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
