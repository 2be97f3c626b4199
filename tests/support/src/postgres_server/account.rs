use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

/// Under whose name the server runs: it refuses to be root.
#[derive(Clone, Copy, Debug)]
pub(super) enum Account {
    Own,
    Other { user: u32, group: u32 },
}

impl Account {
    pub(super) fn of_servers() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Own;
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::named(&accounts, name))
            .expect("there is an account that is not root's")
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        let line = accounts
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1);
        Some(Self::Other {
            user: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }

    pub(super) fn owns(self, directory: &Path) {
        if let Self::Other { user, group } = self {
            chown(directory, Some(user), Some(group)).expect("root may give away a directory");
        }
    }

    pub(super) fn runs(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Own => command,
            Self::Other { user, group } => command.uid(user).gid(group),
        }
    }
}
