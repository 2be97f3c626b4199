//! What the scripts are told, what is answered, and how a session lies in its string.
//!
//! `s`, when it ends at the latest, its user's epoch when it began, until when it stays if nobody comes, and a map of
//! msgpack from names to values, all of them text: `s1800000000000 0 1800000000000 {…}`. Names of the application's fields begin with a dot; ours with an at sign: `@c` when
//! it began, `@i` when its ticket was given, `@u` its user, `@l` how surely, `@d` its name in the user's index, `@p` the
//! session whose place it took, and the one whose ticket led there, until its own is used. One string, because a server
//! gives it out, and a client reads it, in half the time of a hash.
//!
//! Of a session that ended, only `t`, the digest of the one to which it leads, or nothing; and `w` as long as nobody has
//! used the ticket of that one.

use std::sync::LazyLock;

use tower_keep_store::Script;

mod heard;
mod packed;
mod told;

pub(super) use self::{
    heard::{ended, found, is_of_epoch, listed, replaced, time, written},
    told::{ending_all, renewal, replacing, revoking, settling, writing},
};

macro_rules! script {
    ($name:literal, $file:literal) => {
        Script::new(
            $name,
            concat!(include_str!("../prelude.lua"), include_str!($file)),
        )
    };
}

pub(super) static WRITE: LazyLock<Script> =
    LazyLock::new(|| script!("session-write", "../write.lua"));
pub(super) static RENEW: LazyLock<Script> =
    LazyLock::new(|| script!("session-renew", "../renew.lua"));
pub(super) static SETTLE: LazyLock<Script> =
    LazyLock::new(|| script!("session-settle", "../settle.lua"));
pub(super) static REPLACE: LazyLock<Script> =
    LazyLock::new(|| script!("session-replace", "../replace.lua"));
pub(super) static END_ALL: LazyLock<Script> =
    LazyLock::new(|| script!("session-end-all", "../end_all.lua"));
pub(super) static REVOKE: LazyLock<Script> =
    LazyLock::new(|| script!("session-revoke", "../revoke.lua"));

fn hex(digest: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(digest))
}

fn unhex(text: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(text).ok()?;
    let is_whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_whole.then(|| u128::from_str_radix(text, 16).ok())??;
    Some(number.to_be_bytes())
}
