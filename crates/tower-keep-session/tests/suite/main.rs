//! What must be true of sessions, on both stores.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod caps;
mod cleared;
mod cookie_fields;
mod cookies;
mod cost;
mod ends;
mod epochs;
mod everywhere;
mod failing;
mod flood;
mod garbage;
mod hostile;
mod identity;
mod increments;
mod kept_tickets;
mod lifetimes;
mod made_to_last;
mod observed;
mod outage;
mod periodic;
mod planted;
mod races;
mod realms;
mod refused;
mod remembered;
mod reused;
mod revival;
mod rotation;
mod sizes;
mod streams;
mod tokens;
mod told_pages;
mod transports;
mod types;
mod under_way;
mod updates;
mod users;
mod versions;
