//! What must hold on a real Redis: under load, under attack, in outages, and with garbage in it.

#[path = "../common/mod.rs"]
mod common;

mod ban_races;
mod bans;
mod claims;
mod crowd;
mod elsewhere;
mod garbage;
mod hostile;
mod keys;
mod lease_shares;
mod leases;
mod many_at_once;
mod nested;
mod outage;
mod outcomes;
mod quota;
mod recovery;
mod refusals;
mod runtime;
mod service;
mod slots;
mod slots_astray;
mod slots_of_the_dead;
mod slow;
mod tools;
mod truth;
mod truth_of_many;
