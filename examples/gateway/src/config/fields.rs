//! The fields that the configuration names.

use http::{
    HeaderName,
    header::{CACHE_CONTROL, EXPIRES},
};

use super::Config;
use crate::error::StartError;

impl Config {
    pub(crate) fn key_fields(&self) -> Result<Vec<HeaderName>, StartError> {
        read("key_fields", &self.key_fields)
    }

    /// Those that stand in for `Cache-Control`, and so are not it.
    pub(crate) fn targets(&self) -> Result<Vec<HeaderName>, StartError> {
        let names = read("targets", &self.targets)?;
        match names.iter().find(|name| is_standard(name)) {
            Some(name) => Err(fault(
                "targets",
                name,
                "is for all caches, and heeded anyway",
            )),
            None => Ok(names),
        }
    }

    /// Those that are taken out on the way, and so say nothing else.
    pub(crate) fn tag_fields(&self) -> Result<Vec<HeaderName>, StartError> {
        let names = read("tag_fields", &self.tag_fields)?;
        let targets = self.targets()?;
        let mut others = names.iter();
        match others.find(|name| is_standard(name) || targets.contains(name)) {
            Some(name) => Err(fault("tag_fields", name, "says how long, not of what")),
            None => Ok(names),
        }
    }
}

fn read(key: &str, names: &[String]) -> Result<Vec<HeaderName>, StartError> {
    let mut read = Vec::with_capacity(names.len());
    for name in names {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| StartError::because(format!("{key}: {name:?}"), error))?;
        if read.contains(&name) {
            return Err(fault(key, &name, "is there twice"));
        }
        read.push(name);
    }
    Ok(read)
}

fn is_standard(name: &HeaderName) -> bool {
    name == CACHE_CONTROL || name == EXPIRES
}

fn fault(key: &str, name: &HeaderName, why: &str) -> StartError {
    StartError::new(format!("{key}: {name} {why}"))
}
