//! The options of a layer.

use std::{fmt, sync::Arc, time::Duration};

use http::request::Parts;
use tower_keep_store::{ConfigError, Key, Store};

use crate::{
    cookie::SessionCookie,
    label::Labels,
    layer::{SessionLayer, Shared, TokenId},
    lifetimes::Lifetimes,
    manager::Manager,
    reused::{OnReusedTicket, ReusedTicket},
    ticket::REALM,
    transport::Transport,
};

/// Options of a [`SessionLayer`].
#[must_use]
pub struct SessionLayerBuilder {
    store: Store,
    lifetimes: Lifetimes,
    realm: Option<String>,
    transports: Vec<Transport>,
    labels: Labels,
    token_id: Option<TokenId>,
    on_reused_ticket: Option<OnReusedTicket>,
}

impl SessionLayerBuilder {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            lifetimes: Lifetimes::default(),
            realm: None,
            transports: Vec::new(),
            labels: Labels::UserAgent,
            token_id: None,
            on_reused_ticket: None,
        }
    }

    /// Keeps sessions and users apart from those of other realms on the same store. **Layers of one realm share
    /// their sessions, whatever their cookies are called: customer "1" is administrator "1", and has that one's
    /// session with the same ticket. Where users of one name are not the same person, each layer needs a realm
    /// of its own** (or a store with a [namespace](tower_keep_store::StoreBuilder::namespace) of its own), and
    /// so does the layer whose [`sessions`](SessionLayer::sessions) an administrator's tool uses. Tokens that are
    /// revoked are so in all realms. Default: the one without a name.
    pub fn realm(mut self, name: impl Into<String>) -> Self {
        self.realm = Some(name.into());
        self
    }

    /// How long a session lives after its last request. Default: 24 hours. Sessions that began with another time
    /// have this one from their next request on.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.lifetimes.idle = timeout;
        self
    }

    /// How long a session lives at the most, from its login on. Default: 30 days.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.lifetimes.absolute = timeout;
        self
    }

    /// How long the ticket that [`rotate`](crate::Session::rotate) replaced still leads to the session, once
    /// somebody has come with the new one. Default: 10 seconds. With 0 it leads nowhere at once, and a client that
    /// does not get the answer is logged out. Requests that had loaded the session before follow it in any case, for
    /// an hour.
    pub fn rotation_grace(mut self, grace: Duration) -> Self {
        self.lifetimes.grace = grace;
        self
    }

    /// Gives a session a new ticket, as [`rotate`](crate::Session::rotate) does, with the answer to the first
    /// request that looks at it after so long. A client that does not get that answer loses nothing: its old
    /// ticket leads on, and after the grace it is given another. Default: never.
    pub fn rotate_every(mut self, time: Duration) -> Self {
        self.lifetimes.rotation = Some(time);
        self
    }

    /// What is done when the ticket that a rotation replaced comes again, after its grace: a sign of theft, of
    /// which it is not known whether the thief has the old ticket or the new one. The request itself has no session.
    /// It waits for the hook, and for one round trip more, which finds out whose session it was: what takes time is
    /// for a task.
    /// Default: it is [counted](crate::SessionStats::reused) and said in the log.
    ///
    /// ```
    /// # use tower_keep_session::SessionLayer;
    /// # use tower_keep_store::Store;
    /// let layer = SessionLayer::builder(Store::memory()).on_reused_ticket(|ticket| {
    ///     tokio::spawn(async move { ticket.end_session().await });
    /// });
    /// # layer.build().expect("makes sense");
    /// ```
    pub fn on_reused_ticket(mut self, hook: impl Fn(ReusedTicket) + Send + Sync + 'static) -> Self {
        self.on_reused_ticket = Some(Arc::new(hook));
        self
    }

    /// Bytes of all names and values of a session. Default: 64 KiB.
    pub fn size_limit(mut self, bytes: usize) -> Self {
        self.lifetimes.largest = bytes;
        self
    }

    /// How many sessions a user may have. One more ends the oldest. Default: 100.
    pub fn sessions_per_user(mut self, most: u32) -> Self {
        self.lifetimes.most_per_user = most;
        self
    }

    /// Refuses a login that would be one too many, instead of ending the oldest session.
    pub fn refuse_further_sessions(mut self) -> Self {
        self.lifetimes.oldest_gives_way = false;
        self
    }

    /// Adds a way in which tickets travel. They are looked for in the order in which they were added; the
    /// answer goes the way the ticket came, or the first. Default: [`Transport::Cookie`], as it is by default; the
    /// first that is added takes its place.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transports.push(transport);
        self
    }

    /// What a user's list of sessions calls one that logs in with this request, up to 200 characters of it.
    /// Default: `User-Agent`. It is asked for each request, before anybody knows whether that will log in: what
    /// it does should cost little.
    pub fn device_label(
        mut self,
        label: impl Fn(&Parts) -> String + Send + Sync + 'static,
    ) -> Self {
        self.labels = Labels::By(Arc::new(label));
        self
    }

    /// The id of the token (`jti`, say) with which a request comes, for those that
    /// [`revoke_token`](crate::Sessions::revoke_token) ends before their time. It is looked up in the same round trip
    /// as the session; with a revoked token nothing is loaded, and none is believed while the store fails.
    /// A handler that loads no session lets everybody pass, unless an [`IdentifyLayer`](crate::IdentifyLayer)
    /// around it looks first.
    ///
    /// It is asked for each request. Whether the token is good is for others to say, before or after.
    pub fn token_id(
        mut self,
        id: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.token_id = Some(Arc::new(id));
        self
    }

    /// How much longer than itself a token stays revoked, for clocks that differ. Default: a minute.
    pub fn token_leeway(mut self, leeway: Duration) -> Self {
        self.lifetimes.leeway = leeway;
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// Options that make no sense; the error names them.
    pub fn build(mut self) -> Result<SessionLayer, ConfigError> {
        self.lifetimes.check()?;
        if self.transports.is_empty() {
            let cookie = SessionCookie::default();
            self.transports.push(Transport::Cookie(cookie));
        }
        for (i, transport) in self.transports.iter().enumerate() {
            transport.check()?;
            if self.transports[..i]
                .iter()
                .any(|other| transport.is_like(other))
            {
                return Err(ConfigError::new("transport: two look in the same place"));
            }
        }
        let realm = self.realm.as_deref().filter(|name| !name.is_empty());
        let realm = realm.map(|name| Key::new(REALM, name.as_bytes()).digest());
        let hook = self.on_reused_ticket;
        let manager = Manager::new(self.store, self.lifetimes, realm, hook);
        Ok(SessionLayer {
            shared: Arc::new(Shared {
                manager: Arc::new(manager),
                transports: self.transports.into(),
                labels: self.labels,
                token_id: self.token_id,
                reads_on_failure: false,
            }),
        })
    }
}

impl fmt::Debug for SessionLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder")
            .field("store", &self.store)
            .field("realm", &self.realm)
            .field("lifetimes", &self.lifetimes)
            .field("transports", &self.transports)
            .finish_non_exhaustive()
    }
}
