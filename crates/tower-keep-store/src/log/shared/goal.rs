//! An end of the log that was read, and is to be reached: on a busy log the table never stands at its very end.

use tokio::time::Instant;

use super::{Shared, script::Head};
use crate::log::table::{Stamp, Table};

/// The end that was read first of those not reached yet, and when it was asked for. Void once the table forgets, or
/// the epoch is to end.
#[derive(Default)]
pub(super) struct Goal(Option<(Instant, Head)>);

/// How the table stands to it.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Before,
    Reached,
    /// It passed by, or is of another history.
    Lost,
}

impl Goal {
    /// Unless there is one still.
    pub(super) fn set(&mut self, asked: Instant, end: Head) {
        self.0.get_or_insert((asked, end));
    }
}

impl Shared {
    /// Once it is reached, all that stood in the log when it was asked for has been applied.
    pub(super) fn look_at(&self, goal: &mut Goal) {
        let Some((asked, end)) = &goal.0 else { return };
        let (standing, is_relearning) = {
            let table = self.folded.read();
            (standing(&table, end), table.is_relearning())
        };
        match standing {
            Standing::Before => return,
            Standing::Reached => {
                // Only the task that calls this makes the table forget.
                if is_relearning {
                    self.folded.change(Table::learned);
                }
                self.was_current_at(*asked);
            }
            Standing::Lost => {}
        }
        *goal = Goal::default();
    }
}

fn standing(table: &Table, end: &Head) -> Standing {
    let Stamp { epoch, position } = table.stamp();
    if epoch == end.at.epoch && position < end.at.position {
        Standing::Before
    } else if epoch == end.at.epoch && table.nonce_at(end.at.position) == Some(end.nonce) {
        Standing::Reached
    } else {
        Standing::Lost
    }
}
