use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::{client::visit, site::Site};
use crate::{Contract, Inner, Kept, Wraps, rules::check, server::Server};
use tower_keep_test_support::Origin;

/// In a plain hyper server, without axum: the same over `hyper_util`'s connection builder.
pub async fn on_hyper<L: Wraps<Incoming> + 'static>(contract: &Contract<L>) -> Kept {
    let site = Site::new();
    let answers = site.clone();
    let origin = Origin::new(move |request| {
        let answer = answers.answer(request);
        async { Ok(answer.await) }
    });
    let service = contract.layer().wrap(Inner::new(origin));
    let server = Server::start(|listener| serve::<L>(listener, service)).await;
    check(
        "stacks::on_hyper",
        visit(server.address(), &site, contract.patience),
    )
    .await
}

async fn serve<L: Wraps<Incoming> + 'static>(listener: TcpListener, service: L::Service) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(service.clone());
        connections.spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
