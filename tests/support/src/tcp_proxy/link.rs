use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};

use crate::Gate;

/// What all connections of one proxy obey.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) flow: Gate,
    pub(super) latency: Duration,
    pub(super) to_client: Budget,
    pub(super) to_server: Budget,
}

/// How many bytes may still pass in one direction; no limit unless one was set.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<Mutex<Option<usize>>>);

impl Budget {
    pub(super) fn set(&self, bytes: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// Spends up to `wanted` bytes; `true` if the limit was reached, which also lifts it.
    fn spend(&self, wanted: usize) -> (usize, bool) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *left {
            Some(bytes) if bytes <= wanted => {
                *left = None;
                (bytes, true)
            }
            Some(bytes) => {
                *left = Some(bytes - wanted);
                (wanted, false)
            }
            None => (wanted, false),
        }
    }
}

/// Carries one connection until either side ends it or its budget is spent.
pub(super) async fn carry(client: TcpStream, upstream: SocketAddr, rules: Rules) -> io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::try_join!(
        pump(client_reads, server_writes, &rules, &rules.to_server),
        pump(server_reads, client_writes, &rules, &rules.to_client),
    )?;
    Ok(())
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    rules: &Rules,
    budget: &Budget,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        rules.flow.pass().await;
        if length == 0 {
            return to.shutdown().await;
        }
        if !rules.latency.is_zero() {
            sleep(rules.latency).await;
        }
        let (allowed, spent) = budget.spend(length);
        to.write_all(&buffer[..allowed]).await?;
        if spent {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_budget_is_spent_to_the_byte_and_then_lifted() {
        let budget = Budget::default();
        assert_eq!(budget.spend(10), (10, false));
        budget.set(5);
        assert_eq!(budget.spend(3), (3, false));
        assert_eq!(budget.spend(3), (2, true));
        assert_eq!(budget.spend(3), (3, false));
    }
}
