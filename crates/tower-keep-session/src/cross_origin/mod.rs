//! Against requests that other sites make in a user's name.

mod decide;
mod future;
mod layer;
mod origin;
mod refusal;
mod service;

pub use self::{
    future::CrossOriginFuture,
    layer::{CrossOriginLayer, CrossOriginLayerBuilder},
    service::CrossOrigin,
};
