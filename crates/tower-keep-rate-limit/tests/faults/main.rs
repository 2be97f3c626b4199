//! What must hold on a real Redis: under load, under attack, in outages, and with garbage in it.

#[path = "../common/mod.rs"]
mod common;

mod ban_races;
mod bans;
mod claims;
mod garbage;
mod hostile;
mod keys;
mod leases;
mod many_at_once;
mod nested;
mod outage;
mod outcomes;
mod quota;
mod recovery;
mod refusals;
mod service;
mod slots;
mod slots_of_the_dead;
mod tools;
mod truth;
