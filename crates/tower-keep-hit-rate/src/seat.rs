//! A number for each thread that counts.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A seat is taken by one thread at a time: nobody else writes to what is kept for it. So a count is a load and a
/// store, without the lock of the memory bus that two who share it need.
#[derive(Debug)]
struct Seat(Option<usize>);

/// A sum to which all threads add: those that have a seat each in a place of its own.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    shared: AtomicU64,
    own: [Place; SEATS],
}

/// On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicU64);

/// The seat of this thread; none if others had taken all before it came.
#[inline]
pub(crate) fn seat() -> Option<usize> {
    SEAT.try_with(|seat| seat.0).ok().flatten()
}

/// Adds to what is kept for the seat of this thread.
#[inline]
pub(crate) fn add_own(to: &AtomicU64, amount: u64) {
    let sum = to.load(Ordering::Relaxed) + amount;
    to.store(sum, Ordering::Release);
}

impl Sum {
    #[inline]
    pub(crate) fn add_one(&self) {
        match seat() {
            Some(seat) => add_own(&self.own[seat].0, 1),
            None => {
                self.shared.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    pub(crate) fn load(&self) -> u64 {
        let own = self.own.iter().map(|place| &place.0);
        let all = own.chain([&self.shared]);
        all.map(|sum| sum.load(Ordering::Acquire)).sum()
    }
}

impl Seat {
    fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = taken.iter().position(|is_taken| !is_taken);
        if let Some(seat) = free {
            taken[seat] = true;
        }
        Self(free)
    }
}

/// What was written in this seat is seen by whoever takes it next.
impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[seat] = false;
        }
    }
}

thread_local! {
    static SEAT: Seat = Seat::take();
}

static TAKEN: Mutex<[bool; SEATS]> = Mutex::new([false; SEATS]);

pub(crate) const SEATS: usize = 8;

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::{Barrier, Mutex},
        thread,
    };

    use super::*;

    #[test]
    fn no_two_threads_sit_in_the_same_seat_and_no_count_is_lost() {
        let (sum, seats) = (Sum::default(), Mutex::new(HashSet::new()));
        for _ in 0..20 {
            let all_sit = Barrier::new(2 * SEATS);
            thread::scope(|scope| {
                for _ in 0..2 * SEATS {
                    scope.spawn(|| {
                        if let Some(seat) = seat() {
                            let mut seats = seats.lock().expect("no panic");
                            assert!(seats.insert(seat), "{seat} was taken");
                        }
                        all_sit.wait();
                        (0..1000).for_each(|_| sum.add_one());
                    });
                }
            });
            seats.lock().expect("no panic").clear();
        }
        assert_eq!(sum.load(), 20 * 2 * SEATS as u64 * 1000);
    }
}
