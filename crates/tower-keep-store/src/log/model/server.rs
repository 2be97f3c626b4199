//! The server: one stream, one checkpoint.

use crate::log::{
    checkpoint::Checkpoint,
    record::{Content, Record},
};

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Server {
    /// Empty where there is no stream.
    pub(super) log: Vec<Record>,
    pub(super) checkpoint: Option<Kept>,
    /// Another one after a fail-over.
    pub(super) run_id: u8,
    /// For each nonce: how much had been committed when its record was written.
    covered: Vec<u8>,
}

/// A checkpoint as it is compared.
#[derive(Clone, Debug, Hash)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
}

impl Kept {
    pub(super) fn read(&self) -> Checkpoint {
        Checkpoint::decode(&self.bytes).expect("written by the model")
    }
}

impl Server {
    pub(super) fn head(&self) -> Option<&Record> {
        self.log.last()
    }

    /// As `append.lua`.
    pub(super) fn append(&mut self, content: Content, end_epoch: u64, committed: u8) -> Record {
        let nonce = self.covered.len() as u64 + 1;
        let record = match self.head() {
            Some(last) if content.is_empty() && last.epoch != end_epoch => return last.clone(),
            Some(last) => Record {
                position: last.position + 1,
                epoch: if last.epoch == end_epoch {
                    nonce
                } else {
                    last.epoch
                },
                previous: last.nonce,
                nonce,
                content,
            },
            None => Record {
                position: 1,
                epoch: nonce,
                previous: 0,
                nonce,
                content,
            },
        };
        self.covered.push(committed);
        self.log.push(record.clone());
        record
    }

    /// The end of the log, which is begun if there is none.
    pub(super) fn end(&mut self, committed: u8) -> Record {
        match self.head() {
            Some(last) => last.clone(),
            None => self.append(Content::default(), 0, committed),
        }
    }

    pub(super) fn after(&self, cursor: u64) -> Option<&Record> {
        self.log.iter().find(|record| record.position > cursor)
    }

    pub(super) fn covers(&self, record: &Record) -> u8 {
        self.covered[record.nonce as usize - 1]
    }
}
