//! A model of the log, searched exhaustively for small sizes.
//!
//! Two processes, each the real [`Table`] and [`Outbox`] with the reader's decisions around them; one server,
//! which can be cut, flushed, and rolled back to a snapshot (a fail-over that loses acknowledged records);
//! one datum with a version, and one entry made of it in the shared level, which either process may judge.
//! Every step of every participant can come at any time; a record can be on its way for as long as it likes; a
//! process can crash between any two steps.
//!
//! What is checked in every reachable state, for every process:
//!
//! * **Known.** An entry that it judges valid was read after every commit that some invalidation covers
//!   that the process has applied, or queued itself; also while it would not use entries, since it does
//!   not know whether it is current.
//! * **Strict.** If it would use them, and has applied the last record of the log (it has just caught up), after every
//!   commit whose invalidation was acknowledged and has not been lost by the server.
//! * **Doubted.** If besides the writer announces its changes, and the server lost nothing since the
//!   announcement: after every commit.

use std::collections::{HashSet, VecDeque};

use self::world::{Action, World};

mod process;
mod server;
mod world;

/// What the search is to try, and how often.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    commits: u8,
    /// The process that changes the datum; the first one fetches it.
    writer: usize,
    /// A record that was read may be applied at any later time.
    delays: bool,
    /// Writers announce their changes.
    doubts: bool,
    fillers: u8,
    trims: u8,
    checkpoints: u8,
    flushes: u8,
    rollbacks: u8,
    crashes: u8,
    lost_replies: u8,
    fault: Fault,
}

/// What is left out on purpose, to see that it is missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// The position of an entry is not looked at.
    NoPositions,
    /// The stamp is taken when the fetch ends.
    LateStamp,
    /// It is not noticed that another server answers.
    NoServerId,
    /// Announcements are not written.
    NoDoubts,
    /// Who reads the log anew judges before it has come to the end.
    EarlyJudge,
}

struct Outcome {
    states: usize,
    /// The steps to a state in which something stale is judged valid.
    violation: Option<Vec<Action>>,
}

/// Visits every state that can be reached, the near ones first.
fn search(limits: Limits) -> Outcome {
    let first = World::new(limits);
    let mut visited = HashSet::from([first.fingerprint()]);
    let mut steps: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut queue = VecDeque::from([(0, first)]);
    while let Some((index, world)) = queue.pop_front() {
        assert!(visited.len() < MOST_STATES, "too large a model");
        for action in world.actions() {
            let mut next = world.clone();
            next.take(action);
            if !visited.insert(next.fingerprint()) {
                continue;
            }
            steps.push((index, Some(action)));
            if next.is_violated() {
                return Outcome {
                    states: visited.len(),
                    violation: Some(path(&steps)),
                };
            }
            queue.push_back((steps.len() - 1, next));
        }
    }
    Outcome {
        states: visited.len(),
        violation: None,
    }
}

const MOST_STATES: usize = 3_000_000;

fn path(steps: &[(usize, Option<Action>)]) -> Vec<Action> {
    let mut path = Vec::new();
    let mut index = steps.len() - 1;
    while let (before, Some(action)) = steps[index] {
        path.push(action);
        index = before;
    }
    path.reverse();
    path
}

#[allow(clippy::print_stderr)]
fn holds(limits: Limits) {
    let outcome = search(limits);
    eprintln!("{} states: {limits:?}", outcome.states);
    if let Some(path) = outcome.violation {
        panic!("stale after {path:#?}");
    }
}

#[allow(clippy::print_stderr)]
fn is_found(limits: Limits) {
    let outcome = search(limits);
    let path = outcome.violation.expect("the search finds what is missing");
    eprintln!("{} states, then stale after {path:?}", outcome.states);
}

#[test]
fn nothing_stale_is_judged_valid_whatever_the_processes_do() {
    for writer in [0, 1] {
        let plain = Limits {
            commits: 1,
            writer,
            fillers: 1,
            ..Limits::default()
        };
        holds(Limits {
            commits: 2,
            delays: true,
            ..plain
        });
        holds(Limits {
            crashes: 1,
            ..plain
        });
        holds(Limits {
            lost_replies: 1,
            ..plain
        });
    }
}

#[test]
fn nothing_stale_is_judged_valid_whatever_the_server_loses() {
    for [trims, flushes, rollbacks] in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        holds(Limits {
            commits: 1,
            writer: 1,
            fillers: 1,
            trims,
            flushes,
            rollbacks,
            ..Limits::default()
        });
    }
}

#[test]
fn nothing_stale_is_judged_valid_by_who_begins_with_a_checkpoint() {
    // So many that one that was cut off comes to an older checkpoint than what it knew.
    holds(Limits {
        commits: 1,
        writer: 1,
        fillers: 2,
        checkpoints: 1,
        trims: 1,
        ..Limits::default()
    });
    holds(Limits {
        commits: 1,
        writer: 1,
        checkpoints: 1,
        trims: 1,
        crashes: 1,
        ..Limits::default()
    });
}

#[test]
fn nothing_is_served_that_was_changed_under_a_doubt() {
    for [flushes, lost_replies] in [[1, 0], [0, 1]] {
        holds(Limits {
            commits: 1,
            writer: 1,
            doubts: true,
            flushes,
            lost_replies,
            ..Limits::default()
        });
    }
}

/// `cargo nextest run -p tower-keep-store --run-ignored only larger`
#[test]
#[ignore = "takes minutes without optimisation"]
fn larger_sizes_hold_as_well() {
    let plain = Limits {
        commits: 1,
        writer: 1,
        fillers: 1,
        ..Limits::default()
    };
    holds(Limits {
        fillers: 2,
        rollbacks: 1,
        ..plain
    });
    // Who comes new cannot know what the server lost, so nobody crashes here.
    holds(Limits {
        checkpoints: 1,
        trims: 1,
        rollbacks: 1,
        ..plain
    });
    holds(Limits {
        checkpoints: 1,
        trims: 1,
        crashes: 1,
        ..plain
    });
    holds(Limits {
        doubts: true,
        fillers: 0,
        crashes: 1,
        ..plain
    });
    holds(Limits {
        commits: 2,
        delays: true,
        fillers: 1,
        lost_replies: 1,
        crashes: 1,
        ..plain
    });
}

#[test]
fn the_search_finds_what_each_rule_is_for() {
    let plain = Limits {
        commits: 1,
        writer: 1,
        fillers: 2,
        rollbacks: 1,
        ..Limits::default()
    };
    for fault in [Fault::NoPositions, Fault::LateStamp, Fault::NoServerId] {
        is_found(Limits { fault, ..plain });
    }
    is_found(Limits {
        rollbacks: 0,
        checkpoints: 1,
        trims: 1,
        fault: Fault::EarlyJudge,
        ..plain
    });
    is_found(Limits {
        commits: 1,
        writer: 1,
        doubts: true,
        fault: Fault::NoDoubts,
        ..Limits::default()
    });
}
