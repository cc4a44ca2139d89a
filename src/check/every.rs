//! `Checks`: checks of every kind, by what each target's plan asks for.

use std::sync::Arc;

use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::options::{HttpOptions, SetupError};
use crate::check::progress::Progress;
use crate::check::{Check, HttpCheck, dns, icmp, mail, ssl, tcp};
use crate::outcome::Finding;
use crate::target::{Probe, Target};

/// Checks targets of every kind; one serves any number of threads and runtimes.
#[derive(Debug)]
pub struct Checks {
    network: Arc<Network>,
    http: HttpCheck,
}

impl Checks {
    /// Checks that work by `options`; reads the environment's proxies.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, SetupError> {
        let network = Network::new(options)?;
        Ok(Self { http: HttpCheck::over(Arc::clone(&network))?, network })
    }

    /// Checks `target` within its timeout, and tells what was seen if there is a place for it.
    async fn find(&self, target: &Target, facts: Option<Box<Facts>>) -> (Finding, Facts) {
        let started = tokio::time::Instant::now();
        let mut progress = Progress::new(started.into_std(), facts);
        let deadline = started + target.timeout();
        let result = tokio::time::timeout_at(deadline, self.look(target, &mut progress)).await;
        let result = result.unwrap_or_else(|_| Err(progress.timeout()));
        progress.end(result)
    }

    async fn look(&self, target: &Target, progress: &mut Progress) -> Result<(), Fault> {
        let network = &*self.network;
        match &target.plan.probe {
            Probe::Http => self.http.poll(target, progress).await,
            Probe::Ssl(probe) => Box::pin(ssl::check(network, target, probe, progress)).await,
            Probe::Mail(probe) => Box::pin(mail::check(network, target, probe, progress)).await,
            Probe::Dns(probe) => Box::pin(dns::check(network, target, probe, progress)).await,
            Probe::Tcp(probe) => Box::pin(tcp::check(network, target, probe, progress)).await,
            Probe::Icmp(probe) => Box::pin(icmp::check(network, target, probe, progress)).await,
            Probe::Other(_) => Err(Fault::setting()),
        }
    }
}

impl Check for Checks {
    type Facts = ();

    async fn check(&self, target: Arc<Target>) -> (Finding, ()) {
        (self.find(&target, None).await.0, ())
    }
}

/// The same checks, which tell what they saw.
#[derive(Clone, Debug)]
pub struct Telling(pub Arc<Checks>);

impl Check for Telling {
    type Facts = Facts;

    async fn check(&self, target: Arc<Target>) -> (Finding, Facts) {
        self.0.find(&target, Some(Box::default())).await
    }
}
