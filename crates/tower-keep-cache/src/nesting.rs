//! A layer around a service that the same layer wraps already.
//!
//! An application may put one cache around all routes and a class of it around one. The outer one does
//! the work; the inner one only says the class. Otherwise a request would follow a flight that it leads
//! itself.

use std::sync::Arc;

use http::Extensions;

use crate::{class::NamedClass, engine::Engine, http::entry::Stored};

/// Marks a request that a layer has sent on.
#[derive(Clone, Debug)]
pub(crate) struct Within(Arc<Engine<Stored>>);

/// The class of the innermost layer that a response came through.
#[derive(Clone, Debug)]
pub(crate) struct RouteClass(pub(crate) Arc<NamedClass>);

impl Within {
    /// Marks a request on its way in.
    pub(crate) fn enter(engine: &Arc<Engine<Stored>>, request: &mut Extensions) {
        request.insert(Self(engine.clone()));
    }

    /// Whether a layer on this engine has the request in hand already.
    pub(crate) fn is(engine: &Arc<Engine<Stored>>, request: &Extensions) -> bool {
        let outer = request.get::<Self>();
        outer.is_some_and(|outer| Arc::ptr_eq(&outer.0, engine))
    }
}

impl RouteClass {
    /// Says the class of a response on its way out, unless a layer further in has.
    pub(crate) fn leave(class: Arc<NamedClass>, response: &mut Extensions) {
        response.get_or_insert_with(|| Self(class));
    }
}
