use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// The way to the database: a line asks for an item, or (with a plus before it) changes it; a
/// line answers with its version.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<BufStream<TcpStream>>>>,
}

impl Origin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            idle: Arc::default(),
        }
    }

    /// The version that the item has now.
    pub(super) async fn version(&self, item: u64) -> io::Result<u64> {
        self.ask(&format!("{item}\n")).await
    }

    /// Changes the item; its new version.
    pub(super) async fn commit(&self, item: u64) -> io::Result<u64> {
        self.ask(&format!("+{item}\n")).await
    }

    async fn ask(&self, question: &str) -> io::Result<u64> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                BufStream::new(stream)
            }
        };
        connection.write_all(question.as_bytes()).await?;
        connection.flush().await?;
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let version = line.trim_end().parse().map_err(io::Error::other)?;
        // Only one that has said all; one that was given up may still say something.
        self.idle().push(connection);
        Ok(version)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<BufStream<TcpStream>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
