//! Where lines go.

use std::{
    io::{BufWriter, Write},
    net::IpAddr,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use http::Request;
use tower_keep::OutcomeCell;

use super::line::Line;

/// Takes lines, and writes them in a thread of its own. No request waits for it: if it falls far behind,
/// lines are lost.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    sender: Option<SyncSender<Message>>,
}

#[derive(Debug)]
pub(super) enum Message {
    Line(Vec<u8>),
    /// Says when all that came before is written.
    Flush(SyncSender<()>),
}

impl AccessLog {
    /// Writes nothing.
    pub(crate) fn off() -> Self {
        Self { sender: None }
    }

    pub(crate) fn to(output: impl Write + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(MOST_WAITING);
        thread::spawn(move || write(&lines, BufWriter::new(output)));
        Self {
            sender: Some(sender),
        }
    }

    pub(crate) fn begin<B>(
        &self,
        request: &Request<B>,
        client: IpAddr,
        outcome: &OutcomeCell,
    ) -> Option<Box<Line>> {
        let sender = self.sender.as_ref()?;
        let line = Line::new(request, client, outcome.clone(), sender.clone());
        Some(Box::new(line))
    }

    /// Waits for a moment until what was said so far is written.
    pub(crate) fn flush(&self) {
        let Some(sender) = &self.sender else { return };
        let (done, is_done) = sync_channel(1);
        if sender.try_send(Message::Flush(done)).is_ok() {
            let _late_or_gone: Result<(), RecvTimeoutError> =
                is_done.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Until nobody can send any more, or nobody reads what is written.
fn write(lines: &Receiver<Message>, mut output: impl Write) {
    while let Ok(message) = next(lines, &mut output) {
        let written = match message {
            Message::Line(line) => output.write_all(&line),
            Message::Flush(done) => {
                let flushed = output.flush();
                let _ = done.try_send(());
                flushed
            }
        };
        if written.is_err() {
            return;
        }
    }
}

/// Flushes before it waits, so that lines appear at once where there are few.
fn next(lines: &Receiver<Message>, output: &mut impl Write) -> Result<Message, ()> {
    match lines.try_recv() {
        Ok(message) => Ok(message),
        Err(TryRecvError::Disconnected) => Err(()),
        Err(TryRecvError::Empty) => {
            output.flush().map_err(drop)?;
            lines.recv().map_err(drop)
        }
    }
}

const MOST_WAITING: usize = 16 * 1024;
