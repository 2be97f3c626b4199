//! What is configured for which path.

use std::sync::Arc;

use http::{HeaderMap, header::VARY};
use tower_keep::{CacheDirective, Tag};

use super::pattern::Pattern;
use crate::{
    config::{Config, RouteConfig},
    error::StartError,
    proxy::ADDED_FIELDS,
};

/// Which route a path belongs to: the first that matches.
#[derive(Debug)]
pub(crate) struct RouteTable {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    pattern: Pattern,
    class: Option<String>,
    /// The class, where it holds whatever the origin says.
    forced: Option<Arc<str>>,
    tags: Vec<Tag>,
    is_cached: bool,
}

impl RouteTable {
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let routes = config.routes.iter().map(|route| Route::new(route, config));
        Ok(Self {
            routes: routes.collect::<Result<_, _>>()?,
        })
    }

    /// Whether any route is not to be cached.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.routes.iter().any(|route| !route.is_cached)
    }

    /// Whether nothing under this path is to be cached.
    pub(crate) fn excepts(&self, path: &str) -> bool {
        let route = self.find(path);
        route.is_some_and(|index| !self.routes[index].is_cached)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The pattern that a path matches.
    pub(crate) fn pattern(&self, path: &str) -> Option<&str> {
        let route = &self.routes[self.find(path)?];
        Some(route.pattern.as_str())
    }

    /// The class of each route.
    pub(super) fn classes(&self) -> impl Iterator<Item = Option<&str>> {
        self.routes.iter().map(|route| route.class.as_deref())
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.routes
            .iter()
            .position(|route| route.pattern.matches(path))
    }

    /// What the cache is to know of a response, told in its extensions.
    pub(super) fn directive(
        &self,
        route: Option<usize>,
        headers: &HeaderMap,
    ) -> Option<CacheDirective> {
        if varies_by_added(headers) {
            return Some(CacheDirective::no_store());
        }
        let route = route.map(|index| &self.routes[index]);
        let (forced, tags) = route.map_or((None, &[][..]), |route| {
            (route.forced.clone(), &route.tags[..])
        });
        if forced.is_none() && tags.is_empty() {
            return None;
        }
        let directive = forced.map_or_else(CacheDirective::new, CacheDirective::class);
        Some(directive.tags(tags.iter().copied()))
    }
}

impl Route {
    fn new(route: &RouteConfig, config: &Config) -> Result<Self, StartError> {
        let fault = |why: &str| StartError::new(format!("the route {:?}: {why}", route.path));
        if let Some(class) = &route.class
            && !config.classes.contains_key(class)
        {
            return Err(fault(&format!("there is no class {class:?}")));
        }
        if route.force && route.class.is_none() {
            return Err(fault("`force` needs a class"));
        }
        if !route.cache && route.class.is_some() {
            return Err(fault("it has a class and is not cached"));
        }
        Ok(Self {
            pattern: Pattern::parse(&route.path).ok_or_else(|| {
                fault("a path begins with a slash; `*` may stand for all that follows a slash")
            })?,
            class: route.class.clone(),
            forced: route
                .class
                .as_deref()
                .filter(|_| route.force)
                .map(Into::into),
            tags: route.tags.iter().map(|name| Tag::new(name)).collect(),
            is_cached: route.cache,
        })
    }
}

/// What a response varies by and the cache does not see would be another's.
fn varies_by_added(headers: &HeaderMap) -> bool {
    headers.get_all(VARY).iter().any(|line| {
        let mut names = line.as_bytes().split(|byte| *byte == b',');
        names.any(|name| {
            let name = name.trim_ascii();
            ADDED_FIELDS
                .iter()
                .any(|added| name.eq_ignore_ascii_case(added.as_str().as_bytes()))
        })
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn table(text: &str) -> Result<RouteTable, StartError> {
        RouteTable::new(&Config::parse(text).expect("a configuration"))
    }

    #[test]
    fn the_first_route_that_matches_counts() {
        let table = table(
            "routes = [{ path = '/a/b', cache = false }, { path = '/a/*' }, { path = '/*' }]",
        )
        .expect("routes");
        assert_eq!(table.find("/a/b"), Some(0));
        assert_eq!(table.find("/a/b/c"), Some(1));
        assert_eq!(table.find("/ab"), Some(2));
        assert!(table.has_exceptions() && table.excepts("/a/b") && !table.excepts("/a/c"));
    }

    #[test]
    fn routes_that_make_no_sense_are_refused() {
        for routes in [
            "{ path = 'a' }",
            "{ path = '/a*' }",
            "{ path = '/*/a' }",
            "{ path = '/', class = 'none' }",
            "{ path = '/', force = true }",
        ] {
            assert!(table(&format!("routes = [{routes}]")).is_err(), "{routes}");
        }
    }

    #[test]
    fn what_varies_by_what_the_cache_does_not_see_is_noticed() {
        let vary = |line| HeaderMap::from_iter([(VARY, HeaderValue::from_static(line))]);
        assert!(varies_by_added(&vary("Accept, X-Forwarded-For")));
        assert!(!varies_by_added(&vary("Accept")));
    }
}
