//! Accounts of recruiters: signing in and out, devices, and what only their owner sees.

mod account;
mod credentials;
mod devices;
mod home;
mod password;
mod sign_in;
mod signed_in;

pub(crate) use self::{
    credentials::Credentials,
    devices::{list as devices, revoke},
    home::show as home,
    password::{Queue, hash},
    sign_in::{login, logout, logout_everywhere, me},
};
