use std::{net::SocketAddr, path::PathBuf};

use tokio::{sync::watch, task::block_in_place};
use tower_keep_test_support::{Program, TcpProxy, holds_within};

use crate::{Client, LONG, app::LISTENS};

/// The application as a process of its own, which may be killed and started again, and whose way to Redis
/// may be cut.
#[derive(Debug)]
pub struct Node {
    number: usize,
    path: PathBuf,
    args: Vec<String>,
    proxy: TcpProxy,
    program: Program,
    life: watch::Sender<Life>,
}

/// One life of a node: from its start until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Which node.
    pub node: usize,
    /// How often it has been started before.
    pub number: u32,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Node {
    /// Starts it; `args` are its options but for the store, which it reaches through `proxy`.
    pub(crate) fn start(number: usize, path: PathBuf, args: Vec<String>, proxy: TcpProxy) -> Self {
        let (program, address) = launch(&path, &args, &proxy);
        let life = Life {
            node: number,
            number: 0,
            address,
        };
        Self {
            number,
            path,
            args,
            proxy,
            program,
            life: watch::Sender::new(life),
        }
    }

    /// Kills it (`SIGKILL`).
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Starts it again; kills it first if it lives.
    pub fn restart(&mut self) {
        self.kill();
        let (program, address) = block_in_place(|| launch(&self.path, &self.args, &self.proxy));
        self.program = program;
        self.life.send_modify(|life| {
            life.number += 1;
            life.address = address;
        });
    }

    /// Stops it without ending it.
    pub fn pause(&mut self) {
        self.program.pause();
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.program.resume();
    }

    /// What it reaches Redis through.
    #[must_use]
    pub fn proxy(&self) -> &TcpProxy {
        &self.proxy
    }

    /// Which one it is.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its lives, the present one first.
    #[must_use]
    pub fn lives(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Its memory in bytes, as the system sees it.
    ///
    /// # Panics
    ///
    /// If the system does not say.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.program.id());
        let status = std::fs::read_to_string(status).expect("a process that lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.expect("a number of kB") << 10
    }

    /// A client of it.
    ///
    /// # Panics
    ///
    /// If it does not live.
    pub async fn client(&self) -> Client {
        let address = self.life.borrow().address;
        Client::connect(address).await.expect("it listens")
    }

    /// Waits until so many requests for pages and values have come, since its start.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub async fn has_begun(&self, many: usize) {
        let begun = async || {
            let answer = self.client().await.get("/begun").await;
            answer.body.parse::<usize>().expect("a number") >= many
        };
        assert!(holds_within(LONG, begun).await, "fewer than {many} came");
    }
}

fn launch(path: &PathBuf, args: &[String], proxy: &TcpProxy) -> (Program, SocketAddr) {
    let store = ["--store".to_owned(), format!("redis://{}", proxy.address())];
    let mut program = Program::at(path).args(args.iter().chain(&store)).start();
    let address = program.says(LISTENS).parse().expect("an address");
    (program, address)
}
